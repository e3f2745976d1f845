"""The networks of latents in fast arithmetic, which rounds as each kernel likes, by the ids of
those that ship."""

from __future__ import annotations

import json
from pathlib import Path

from edgecodec.export import ExportOptions, export_networks
from edgecodec.export.quantization.recipe import Arithmetic
from edgecodec.runtime.models import MANIFEST, packaged_models, read_models


def write_fast_networks(folder: Path) -> None:
    """A model folder of tier nano; streams for the installed networks play with it in their
    place."""
    names = ("iframe_decoder", "generator_p", "generator_b")
    options = ExportOptions(
        folder, networks=names, arithmetic=Arithmetic.FAST, simplify=False, max_drop_db=None
    )
    export_networks(options)
    installed = read_models(packaged_models("nano"))
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    for network in manifest["networks"]:
        network["model_id"] = installed.network(network["name"]).model_id
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
