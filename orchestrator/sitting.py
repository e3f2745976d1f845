"""Beginning a run, or going on with one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..runtime.errors import UnsupportedError
from .cost import Price
from .design.goal import Goal
from .design.space import Space
from .design.spaces import default_space, parse_space
from .media import MediaStore
from .run_options import RunOptions, store_clips
from .runs import Run, RunBook

USUAL_GOAL = "bitrate min, psnr max, tops min"
USUAL_DEVICE = "snapdragon-40tops"


@dataclass(frozen=True)
class Wish:
    """What somebody asks for; None where nothing is said: the usual for a new run, what it was
    begun with for an old one. `run` None means a new one with the time as its name."""

    run: str | None = None
    clips: Sequence[Path] = ()
    frames: int | None = None
    goal: str | None = None
    device: str | None = None
    seed: int | None = None
    space: str | None = None
    quick: bool | None = None
    price: Price | None = None


@dataclass(frozen=True)
class Sitting:
    """A run with what it is about, taken apart."""

    run: Run
    options: RunOptions
    goal: Goal
    space: Space
    price: Price


def open_run(wish: Wish, book: RunBook, media: MediaStore) -> Sitting:
    """The run that is wished for, begun if there is none of that name.

    Videos are put into the media store. Raises UnsupportedError where an old run is about
    something else, or a new one is told too little or what cannot be.
    """
    name = wish.run or time.strftime("%Y%m%d-%H%M%S")
    run = book.get(name)
    if run is None:
        run = _begun(name, wish, book, media)
    else:
        _check_same(run, wish)
    return sitting(run, wish.price)


def sitting(run: Run, price: Price | None = None) -> Sitting:
    """A run as the book has it; `price` counts instead of the one that it was begun with. Raises
    UnsupportedError where this version cannot read it."""
    options = RunOptions.from_dict(run.options, f"run {run.name}")
    goal = Goal.parse(run.goal)
    return Sitting(
        run,
        options,
        goal,
        _space(goal, options.space, quick=options.quick),
        price or Price(options.price, options.currency),
    )


def _begun(name: str, wish: Wish, book: RunBook, media: MediaStore) -> Run:
    from ..encoder.fingerprint import fingerprint
    from .jobs.device_check import known_device

    if not wish.clips:
        known = "" if wish.run is None else f"there is no run {name}, and "
        raise UnsupportedError(f"{known}a new run needs at least one video: name its files")
    goal = Goal.parse(wish.goal or USUAL_GOAL)
    _space(goal, wish.space or "", quick=bool(wish.quick))
    price = wish.price or Price(0.0)
    options = RunOptions(
        clips=store_clips(wish.clips, wish.frames, media),
        device=known_device(wish.device or USUAL_DEVICE).name,
        model=fingerprint(),
        seed=1 if wish.seed is None else wish.seed,
        space=wish.space or "",
        quick=bool(wish.quick),
        price=price.per_hour,
        currency=price.currency,
    )
    return book.create(name, str(goal), options.to_dict())


def _check_same(run: Run, wish: Wish) -> None:
    from .media import file_sha256

    options = RunOptions.from_dict(run.options, f"run {run.name}")
    had = {each.clip.sha256 for each in options.clips}
    frames = {each.clip.frames for each in options.clips}
    different = {
        "videos": bool(wish.clips) and {file_sha256(each) for each in wish.clips} != had,
        "frames": wish.frames is not None and frames != {wish.frames},
        "goal": wish.goal is not None and str(Goal.parse(wish.goal)) != run.goal,
        "device": wish.device not in (None, options.device),
        "seed": wish.seed not in (None, options.seed),
        "space": wish.space not in (None, options.space),
        "quick": wish.quick not in (None, options.quick),
    }
    for name, differs in different.items():
        if differs:
            raise UnsupportedError(
                f"run {run.name} was begun with other {name}, which it keeps: leave that away to go"
                " on with it, or give --run another name"
            )


def _space(goal: Goal, text: str, *, quick: bool) -> Space:
    return parse_space(text, default_space(goal, quick=quick))
