"""Processes beside this one that work for it, each at the end of a pipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Concatenate, ParamSpec

from .interrupts import without_interrupts

P = ParamSpec("P")


@dataclass(frozen=True)
class Apart:
    """Such a process, and this process's end of its pipe: it says EOFError when that one dies."""

    process: BaseProcess
    connection: Connection


def begin_apart(
    work: Callable[Concatenate[Connection, P], None], *args: P.args, **kwargs: P.kwargs
) -> Apart:
    """Call `work` with its end of the pipe and the arguments in a new process, which ends with this
    one and which Ctrl-C does not reach."""
    # Not forked: this process has threads, and so have the codecs.
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, *args), kwargs=kwargs, daemon=True)
    with without_interrupts():
        process.start()
    there.close()
    return Apart(process, here)
