"""What every sink of decoded video offers and needs, and files that appear only when whole."""

from __future__ import annotations

import os
import secrets
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from .auxiliary import AuxPacket, AuxStream
from .errors import UnsupportedError
from .frames import ColorInfo, Frame, PictureFormat


class VideoInfo(Protocol):
    """What a sink must know of a video beforehand: a `Header` has it all."""

    @property
    def format(self) -> PictureFormat:
        """Geometry of every frame."""

    @property
    def time_base(self) -> Fraction:
        """Unit of every pts, in seconds."""

    @property
    def frame_rate(self) -> Fraction:
        """Average or nominal, in Hz."""

    @property
    def color(self) -> ColorInfo:
        """How to read the samples."""

    @property
    def rotation(self) -> int:
        """Degrees clockwise to turn the picture for display: 0, 90, 180 or 270."""

    @property
    def sample_aspect(self) -> Fraction:
        """A sample's width over its height."""

    @property
    def aux_streams(self) -> tuple[AuxStream, ...]:
        """Audio and subtitle streams whose packets may follow."""


class Sink(Protocol):
    """Takes a video's frames in display order and the packets of the streams beside it.

    As a context manager it closes at the end of the block, and aborts if that ends by an
    exception.
    """

    keeps_timestamps: bool
    """Whether a variable frame rate survives; False where frames are only counted."""

    def write(self, frame: Frame) -> None:
        """Takes the next frame; its planes are not kept."""

    def write_aux(self, packet: AuxPacket) -> None:
        """Takes a packet of one of `VideoInfo.aux_streams`; in dts order in each stream."""

    def close(self) -> None:
        """Ends the output: only now a file appears under its name."""

    def abort(self) -> None:
        """Gives up and leaves nothing behind. Does nothing after `close` or `abort`."""

    @property
    def summary(self) -> str:
        """After `close`, a line for the user: `MD5=...` or the file's path."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.abort()
            return
        try:
            self.close()
        except BaseException:
            self.abort()
            raise


class PartFile:
    """A file that is written beside its place under a temporary name and renamed at the end.

    Raises:
        FileNotFoundError: the folder does not exist.
        UnsupportedError: the name belongs to a folder.
    """

    def __init__(self, target: Path) -> None:
        if target.is_dir():
            raise UnsupportedError(f"{target} is a folder: name a file in it")
        if not target.parent.is_dir():
            raise FileNotFoundError(f"{target.parent}: no such folder; make it first")
        self.target = target
        self.path = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")

    def commit(self) -> None:
        """Gives the file its name, in place of a file that has it already."""
        os.replace(self.path, self.target)

    def discard(self) -> None:
        """Removes the file if it was not committed."""
        self.path.unlink(missing_ok=True)
