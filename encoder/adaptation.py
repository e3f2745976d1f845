"""How far the neural part of an encode may be fitted to the title."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

__all__ = ["Adaptation", "TitleFile"]


class Adaptation(Enum):
    """What may be searched for a title and sent with it.

    * ``none``: standard codecs' pictures and the generic networks as they are.
    * ``filter``: a scene may send filters for what its standard codec, or
      its network of latents, has drawn.
    * ``code``: filters, and a scene may send a code, a scaling and an offset a
      channel of its network's last features.
    * ``title``: all that, and weights of the title's own.
    """

    NONE = "none"
    FILTER = "filter"
    CODE = "code"
    TITLE = "title"

    @property
    def filters(self) -> bool:
        """Whether scenes may send filters."""
        return self is not Adaptation.NONE

    @property
    def of_scenes(self) -> Adaptation:
        """What of it may be searched for a single scene."""
        return Adaptation.CODE if self is Adaptation.TITLE else self

    @property
    def codes(self) -> bool:
        """Whether scenes may send codes."""
        return self in (Adaptation.CODE, Adaptation.TITLE)


@dataclass(frozen=True)
class TitleFile:
    """Title weights kept on disk, for trials in any process.

    Its ``repr`` holds the content's digest and not the place, so that a
    result is found again under another workspace.
    """

    path: Path
    """Holds what ``runtime.title.pack_title`` wrote."""
    digest: str
    """SHA-256 of the file, in hexadecimal."""
    number: int = 0
    """What scenes refer to them by in the stream."""

    def __repr__(self) -> str:
        return f"TitleFile({self.digest}, {self.number})"
