"""`edgecodec devices`: the device profiles that come with the package."""

from __future__ import annotations

from typing import Annotated

import typer

from ._output import print_json, stdout_console


def devices(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the devices that `edgecodec profile` knows, with what their labels mean.

    Example: `edgecodec devices --json`
    """
    from ..profiles import load_devices
    from ..profiles.table import print_devices

    known = load_devices()
    if as_json:
        print_json([device.to_dict() for device in known])
    else:
        print_devices(known, stdout_console())
