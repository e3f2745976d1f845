"""Graphs of dynamic size, fixed to one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from edgecodec import runtime
from edgecodec.decoder import network_names
from edgecodec.decoder.networks import spec
from edgecodec.export import Size
from edgecodec.export.devices import fix_size
from edgecodec.export.sessions import open_session
from edgecodec.runtime.errors import ExportError

PACKAGED = Path(runtime.__file__).parent / "networks" / "nano"


@pytest.mark.parametrize("network", network_names())
def test_a_fixed_graph_gives_what_the_dynamic_one_gives(network: str) -> None:
    dynamic = onnx.load(PACKAGED / f"{network}.onnx")
    # Neither side is a whole number of blocks: ports have the shapes of the padded picture.
    fixed = fix_size(dynamic, spec(network, "nano"), Size(70, 50))
    sessions = [open_session(m.SerializeToString(), "graph") for m in (dynamic, fixed)]
    random = np.random.default_rng(1)
    inputs = {
        port.name: random.integers(0, 256, port.shape, dtype=np.uint8)
        for port in sessions[1].get_inputs()
    }
    before, after = (session.run(None, inputs) for session in sessions)
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a, b)


def test_every_inner_shape_is_known() -> None:
    fixed = fix_size(
        onnx.load(PACKAGED / "generator_b.onnx"), spec("generator_b", "nano"), Size(64, 64)
    )
    inner = {v.name: v.type.tensor_type.shape.dim for v in fixed.graph.value_info}
    assert {name for node in fixed.graph.node for name in node.output} <= inner.keys() | {
        value.name for value in fixed.graph.output
    }
    assert all(d.dim_value > 0 for shape in inner.values() for d in shape)


def test_a_graph_of_another_network_is_refused() -> None:
    with pytest.raises(ExportError, match="enhancer has no port 'latent'"):
        fix_size(
            onnx.load(PACKAGED / "iframe_decoder.onnx"), spec("enhancer", "nano"), Size(64, 64)
        )
