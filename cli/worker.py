"""`edgecodec worker`: do a fleet's jobs on this machine."""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._arguments import byte_size
from ._output import plain

if TYPE_CHECKING:
    from ..orchestrator.ledger import Record

_WHERE = "Where the fleet is"
_WORK = "How to work"
_END = "When to end"
_HARD_AFTER_SOFT = 1.1


def worker(
    broker: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The queue: folder:PATH, redis://host:port/db or sqs://?region=R&queue=NAME (or"
            " EDGECODEC_BROKER).  \\[default: a folder of the user's]",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    results: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The ledger: sqlite:PATH, redis://... or dynamodb://TABLE (or EDGECODEC_RESULTS)."
            "  \\[default: by the broker]",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    media: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Videos, streams and logs: a folder or s3://bucket/prefix (or EDGECODEC_MEDIA)."
            "  \\[default: by the broker]",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    gpu: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="The one GPU that jobs see.  \\[default: none]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Scratch files and the cache of videos.  \\[default: the user's cache folder]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    cache_size: Annotated[
        int,
        typer.Option(
            parser=byte_size,
            metavar="SIZE",
            help="The most that the cache of videos may take.",
            rich_help_panel=_WORK,
        ),
    ] = "20GB",  # type: ignore[assignment]  # typer parses it
    name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the ledger calls this worker.  \\[default: host, GPU and a random part]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    soft_limit: Annotated[
        float,
        typer.Option(
            min=1,
            metavar="S",
            help="Seconds after which a job is asked to stop.",
            rich_help_panel=_WORK,
        ),
    ] = 6 * 3600.0,
    hard_limit: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="S",
            help="Seconds after which it is killed.  \\[default: a tenth more]",
            rich_help_panel=_WORK,
        ),
    ] = None,
    lease: Annotated[
        float,
        typer.Option(
            min=1,
            metavar="S",
            help="Seconds without a word after which others take a worker for lost.",
            rich_help_panel=_WORK,
        ),
    ] = 60.0,
    attempts: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Failed attempts after which a job is dead.",
            rich_help_panel=_WORK,
        ),
    ] = 4,
    backoff: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="S",
            help="Seconds between a failed attempt and the next, doubled each time.",
            rich_help_panel=_WORK,
        ),
    ] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Do one job and end.", rich_help_panel=_END)
    ] = False,
    idle: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="S",
            help="End when there was nothing to do for S seconds.  \\[default: never]",
            rich_help_panel=_END,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each attempt.")
    ] = False,
) -> None:
    """Take jobs from a fleet's queue and do them, one at a time, until told to stop.

    SIGTERM and Ctrl-C give the running job back and end the worker; a second one ends it at once.

    Example: `edgecodec worker --broker redis://10.0.0.5:6379/0 --media s3://videos/codec --gpu 0`
    """
    hard = hard_limit or soft_limit * _HARD_AFTER_SOFT
    if hard < soft_limit:
        raise typer.BadParameter("it is less than --soft-limit", param_hint="'--hard-limit'")
    from ..orchestrator.deployment import deployment
    from ..orchestrator.ledger import Policy
    from ..orchestrator.worker import WorkerOptions, serve, users_folder

    fleet = deployment(broker, results, media)
    options = WorkerOptions(
        folder=(folder or users_folder()).absolute(),
        name=name or _own_name(gpu),
        gpu=gpu,
        cache_bytes=cache_size,
        soft_limit_s=soft_limit,
        hard_limit_s=hard,
        once=once,
        idle_s=idle,
    )
    _log_to_stderr()
    policy = Policy(lease_s=lease, most_attempts=attempts, backoff_s=backoff)
    serve(fleet, options, policy, _print_json_line if as_json else _print_line)


def _own_name(gpu: int | None) -> str:
    """One that no other worker has."""
    part = "cpu" if gpu is None else f"gpu{gpu}"
    return f"{platform.node() or 'worker'}-{part}-{uuid.uuid4().hex[:6]}"


def _log_to_stderr() -> None:
    """Our own words, and of the libraries' only what is wrong."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
    level = os.environ.get("EDGECODEC_LOG", "INFO").upper()
    logging.getLogger("edgecodec").setLevel(level if level in _LEVELS else "INFO")


_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def _print_line(record: Record) -> None:
    last = record.attempts[-1]
    detail = last.error.partition("\n")[0]
    print(
        f"{record.job.kind} {record.job.id}: attempt {last.number} {last.outcome.value}"
        f" after {last.seconds:.1f} s, {record.state.value} {detail}".rstrip(),
        flush=True,
    )


def _print_json_line(record: Record) -> None:
    last = record.attempts[-1]
    line = {
        "id": record.job.id,
        "kind": record.job.kind,
        "state": record.state.value,
        "attempt": last.number,
        "outcome": last.outcome.value,
        "seconds": last.seconds,
        "error": last.error,
    }
    print(json.dumps(plain(line), allow_nan=False), flush=True)
