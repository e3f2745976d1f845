"""Statistics of inner tensors, and the memory that they take to gather."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgecodec.decoder import build, spec
from edgecodec.decoder.networks import NetworkSpec
from edgecodec.export import Size
from edgecodec.export.calibration import (
    Statistics,
    collect,
    load_statistics,
    statistics_from_bytes,
)
from edgecodec.export.graph import to_onnx
from edgecodec.export.sizes import port_shape
from edgecodec.runtime.errors import ExportError
from numpy.typing import NDArray

Chain = Callable[..., tuple[onnx.ModelProto, NetworkSpec]]
DOUBLE = np.full((6, 6, 1, 1), 0, np.float32) + 2 * np.eye(6, dtype=np.float32)[:, :, None, None]
BIAS = np.arange(6, dtype=np.float32) - 2


@pytest.fixture(scope="module")
def two_layers(chain: Chain) -> tuple[onnx.ModelProto, NetworkSpec]:
    """Features: 2 x + (-2, -1, 0, 1, 2, 3), clipped to [0, 6]; frame: twice that."""
    return chain(stem=(DOUBLE, BIAS), head=(DOUBLE, np.zeros(6, np.float32)))


def pictures(*sizes: tuple[int, int]) -> list[dict[str, NDArray[np.uint8]]]:
    random = np.random.default_rng(2)
    return [{"x": random.integers(0, 256, (1, 6, *size), dtype=np.uint8)} for size in sizes]


def test_means_and_extremes_are_those_of_all_positions(
    two_layers: tuple[onnx.ModelProto, NetworkSpec],
) -> None:
    samples = pictures((5, 7), (16, 4), (1, 1))
    seen: list[int] = []
    found = collect(*two_layers, samples, seen.append)
    positions = np.concatenate([s["x"].reshape(6, -1) for s in samples], axis=1) / 255
    features = np.clip(2 * positions + BIAS[:, None], 0, 6)
    assert seen == [1, 2, 3]
    assert (found.network, found.samples) == ("chain", 3)
    assert list(found.histograms) == ["stem.features"]
    assert list(found.input_means) == ["stem", "head"]
    np.testing.assert_allclose(found.input_means["stem"], positions.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found.input_means["head"], features.mean(axis=1), atol=1e-6)
    values = found.histograms["stem.features"]
    assert values.total == features.size
    np.testing.assert_allclose((values.minimum, values.maximum), (0, features.max()), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        # Not the last one, which a scene's code scales and shifts, and nothing behind it.
        ("enhancer", {"stem", "body.0"}),
        # Not the last one, which is the frame's feature; and not what is joined with the past one.
        ("generator_p", {"up.expand", "fuse", "body.0", "body.1"}),
    ],
)
def test_ranges_that_a_port_or_a_code_fixes_are_not_measured(name: str, layers: set[str]) -> None:
    network = spec(name, "nano")
    size = Size(32, 16)
    model = to_onnx(build(name, "nano"), network, size)
    sample = {p.name: np.zeros(port_shape(p, network, size), np.uint8) for p in network.inputs}
    found = collect(model, network, [sample])
    makers = {node.output[0]: node for node in model.graph.node}
    clipped = (makers[makers[tensor].input[0]] for tensor in found.histograms)
    assert {conv.input[1].removesuffix(".weight") for conv in clipped} == layers


def test_saving_keeps_everything(
    two_layers: tuple[onnx.ModelProto, NetworkSpec], tmp_path: Path
) -> None:
    found = collect(*two_layers, pictures((5, 7)))
    file = tmp_path / "statistics.npz"
    found.save(file)
    assert [path.name for path in tmp_path.iterdir()] == ["statistics.npz"]
    assert file.read_bytes() == found.to_bytes()
    loaded = load_statistics(file)
    assert loaded.to_bytes() == found.to_bytes()
    assert loaded.histograms["stem.features"].total == 5 * 7 * 6
    np.testing.assert_array_equal(loaded.input_means["head"], found.input_means["head"])


def test_a_file_of_something_else_is_refused(
    two_layers: tuple[onnx.ModelProto, NetworkSpec], tmp_path: Path
) -> None:
    whole = collect(*two_layers, pictures((5, 7))).to_bytes()
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, header=np.array({"format": 1}, dtype=object))
    future = tmp_path / "future.npz"
    np.savez(future, header=np.frombuffer(json.dumps({"format": 99}).encode(), np.uint8))
    for data in (b"", b"text", whole[: len(whole) // 2], pickled.read_bytes(), future.read_bytes()):
        with pytest.raises(ExportError, match="old file holds no calibration statistics"):
            statistics_from_bytes(data, "old file")
    with pytest.raises(ExportError, match=r"absent\.npz"):
        load_statistics(tmp_path / "absent.npz")


def test_without_samples_or_with_broken_weights_there_are_none(
    two_layers: tuple[onnx.ModelProto, NetworkSpec], chain: Chain
) -> None:
    with pytest.raises(ExportError, match="no samples"):
        collect(*two_layers, [])
    broken = DOUBLE.copy()
    broken[3, 3] = np.nan
    with pytest.raises(ExportError, match=r"stem\.weight.*NaN"):
        collect(*chain(stem=(broken, BIAS), head=(DOUBLE, BIAS)), pictures((5, 7)))
    with pytest.raises(ExportError, match=r"head\.weight.*NaN"):
        collect(*chain(stem=(DOUBLE, BIAS), head=(broken, BIAS)), pictures((5, 7)))


GATHER = """
import pathlib, resource, sys
import numpy as np, onnx
from edgecodec.decoder.networks import NetworkSpec, PortSpec
from edgecodec.export.calibration import collect
from edgecodec.export.sessions import open_session

spec = NetworkSpec(
    "chain", "toy", (PortSpec("x", 24, 4, 1 / 255, 0),), (PortSpec("frame_out", 6, 4, 1 / 255, 0),)
)
model = onnx.load(sys.argv[1])
random = np.random.default_rng(0)

def picture():
    return {"x": random.integers(0, 256, (1, 24, 270, 480), dtype=np.uint8)}

def peak():
    # Linux's ru_maxrss begins at what the parent had; this does not.
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        (line,) = [each for each in status.read_text().splitlines() if each.startswith("VmHWM")]
        print(int(line.split()[1]) * 1024)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

peak()
collect(model, spec, [picture()])
peak()
collect(model, spec, (picture() for _ in range(3)))
peak()
tensors = [node.output[0] for node in model.graph.node]
model.graph.ClearField("output")
for tensor in tensors:
    model.graph.output.add(name=tensor)
session = open_session(model.SerializeToString(), "all at once")
session.run(None, {"x": picture()["x"].astype(np.float32) / 255})
peak()
"""


def test_memory_at_1080p_grows_with_neither_layers_nor_samples(
    chain: Chain, tmp_path: Path
) -> None:
    """What a layer reads and what it gives, 33 MB each, have to be there; all tensors are 16."""
    random = np.random.default_rng(1)

    def layer(inputs: int, outputs: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        weight = random.normal(0, inputs**-0.5, (outputs, inputs, 1, 1)).astype(np.float32)
        return weight, np.zeros(outputs, np.float32)

    inner = {f"body{i}": layer(64, 64) for i in range(7)}
    model, _ = chain(stem=layer(24, 64), **inner, head=layer(64, 6))
    file = tmp_path / "chain.onnx"
    onnx.save(model, file)
    command = [sys.executable, "-c", GATHER, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    before, one, four, at_once = map(int, done.stdout.split())
    features = 64 * 270 * 480 * 4
    assert one - before < 5 * features
    assert four - one < 2 * features
    assert at_once - four > 6 * features


def test_statistics_are_the_same_whatever_the_order(
    two_layers: tuple[onnx.ModelProto, NetworkSpec],
) -> None:
    samples = pictures((5, 7), (16, 4), (9, 9))

    def counts(found: Statistics) -> list[int]:
        return found.histograms["stem.features"].counts.tolist()

    forward, backward = collect(*two_layers, samples), collect(*two_layers, samples[::-1])
    assert counts(forward) == counts(backward)
    np.testing.assert_allclose(
        forward.input_means["head"], backward.input_means["head"], rtol=1e-12
    )
