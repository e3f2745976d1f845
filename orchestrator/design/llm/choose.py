"""Which service to ask, by options and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ....runtime.errors import DispatchError
from .anthropic import USUAL_MODEL as CLAUDE
from .anthropic import Anthropic
from .model import LanguageModel
from .openai import USUAL_MODEL as GPT
from .openai import OpenAI
from .service import Patience, Service

_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
_BASES = {
    "anthropic": ("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
    "openai": ("OPENAI_BASE_URL", "https://api.openai.com/v1"),
}


def language_model(
    llm: Literal["anthropic", "openai"] | None,
    model: str | None,
    environ: Mapping[str, str],
    patience: Patience | None = None,
) -> LanguageModel:
    """The model to ask.

    `llm` None stands for the service whose key `environ` has. Keys are ANTHROPIC_API_KEY and
    OPENAI_API_KEY, addresses may be changed by ANTHROPIC_BASE_URL and OPENAI_BASE_URL, as the
    services' own libraries read them. Raises DispatchError where there is no key or there are two.
    """
    there = [name for name, key in _KEYS.items() if environ.get(key, "").strip()]
    if llm is None and len(there) != 1:
        what = "both are set: choose with --llm" if there else "set one of them"
        raise DispatchError(
            f"a language model needs a key in {' or '.join(_KEYS.values())}: {what},"
            " or use --designer optuna"
        )
    chosen = llm or there[0]
    if chosen not in there:
        raise DispatchError(
            f"--llm {chosen} needs a key in {_KEYS[chosen]}: set it, or use --designer optuna"
        )
    key = environ[_KEYS[chosen]].strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise DispatchError(f"{_KEYS[chosen]} holds spaces or odd characters: set it to the key")
    base_name, usual = _BASES[chosen]
    base = environ.get(base_name, "").strip() or usual
    service = Service(base, key, _KEYS[chosen], base_name, patience or Patience())
    if chosen == "anthropic":
        return Anthropic(service, model or CLAUDE)
    return OpenAI(service, model or GPT)
