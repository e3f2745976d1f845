"""Options that several verbs of `edgecodec experiments` have."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

_WHERE = "Where the fleet is"

Broker: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="folder:PATH, redis://host:port/db or sqs://?region=R&queue=NAME (or"
        " EDGECODEC_BROKER).  \\[default: a folder of the user's]",
        rich_help_panel=_WHERE,
    ),
]
Results: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="sqlite:PATH, redis://... or dynamodb://TABLE (or EDGECODEC_RESULTS)."
        "  \\[default: by the broker]",
        rich_help_panel=_WHERE,
    ),
]
Media: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A folder or s3://bucket/prefix (or EDGECODEC_MEDIA).  \\[default: by the broker]",
        rich_help_panel=_WHERE,
    ),
]
HourPrice: TypeAlias = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="MONEY",
        help="Of a worker's hour.  \\[default: what the run was begun with]",
        rich_help_panel="What it costs",
    ),
]
Currency: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="The price's.", rich_help_panel="What it costs")
]
