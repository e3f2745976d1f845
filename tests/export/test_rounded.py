"""Rounding of exact networks as an export decides it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from edgecodec.decoder import build, spec
from edgecodec.export import (
    Arithmetic,
    Cache,
    ExportOptions,
    LossSample,
    Manifest,
    NetworkEntry,
    RangeMethod,
    Size,
    export_networks,
)
from edgecodec.export.check import to_levels, to_real
from edgecodec.export.graph import to_bytes, to_onnx
from edgecodec.export.inputs import fit_inputs
from edgecodec.export.quantization import Recipe, preset
from edgecodec.export.rounded import Rounded, Rounding, round_weights
from edgecodec.export.sample_sets import SampleSet
from edgecodec.export.sessions import open_session
from edgecodec.runtime.errors import GateError
from edgecodec.runtime.models import read_models
from safetensors.torch import save_file
from torch import nn

SPEC = spec("enhancer", "nano")
SIZE = Size(96, 64)
EXACT = Recipe(preset("cpu", Arithmetic.EXACT))
# Between what nearest steps lose on the samples below and nothing.
STRICT_DB = 0.001


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    made = build(SPEC.name, SPEC.tier)
    for parameter in made.head.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    return made


@pytest.fixture(scope="module")
def floats(network: nn.Module) -> onnx.ModelProto:
    return to_onnx(network, SPEC, SIZE)


@pytest.fixture(scope="module")
def samples(floats: onnx.ModelProto) -> list[list[LossSample]]:
    """Noise and, as its source, what the float graph gives: any rounding is a loss. Two sets."""
    session, random = open_session(to_bytes(floats), "float"), np.random.default_rng(4)
    # Neighbouring pixels are alike, which is what rounding to outputs makes use of.
    patterns = random.normal(0, 20, (3, 24))

    def sample() -> LossSample:
        pixels = 128 + np.tensordot(patterns, random.normal(size=(3, 16, 24)), (0, 0))
        frame = pixels.clip(0, 255).astype(np.uint8)[None]
        given = {"prev": frame, "cur": frame, "next": frame}
        given["condition"] = np.full((1, 2, 16, 24), 100, np.uint8)
        fitted = fit_inputs(session, SPEC, given)
        real = {port.name: to_real(fitted[port.name], port) for port in SPEC.inputs}
        residual = to_levels(session.run(None, real)[0], SPEC.outputs[0]).astype(np.int32) - 128
        base = random.integers(200, 800, frame.shape, dtype=np.uint16)
        target = ((base + residual + 2) >> 2).clip(0, 255).astype(np.uint8)
        return LossSample("noise", given, target, base)

    return [[sample() for _ in range(4)] for _ in range(2)]


def sample_set(samples: Sequence[LossSample]) -> SampleSet:
    return SampleSet(SPEC.name, lambda name: samples)


NONE = sample_set(())


def test_nearest_steps_stay_where_they_are_good_enough(
    floats: onnx.ModelProto, samples: list[list[LossSample]]
) -> None:
    seen, unseen = map(sample_set, samples)
    loose = round_weights(floats, SPEC, EXACT, unseen, seen, math.inf)
    assert (loose.model, loose.recipe) == (floats, EXACT)
    assert loose.rounding is Rounding.NEAREST
    assert loose.note.startswith("nearest loses")
    as_it_is = Rounded(floats, EXACT, Rounding.NEAREST)
    assert round_weights(floats, SPEC, EXACT, unseen, seen, None) == as_it_is
    fast = Recipe(preset("cpu"))
    assert round_weights(floats, SPEC, fast, unseen, seen, math.inf).model == floats
    symmetric = Recipe(preset("tensorrt"))
    assert round_weights(floats, SPEC, symmetric, unseen, seen, 0).model == floats


def test_a_loss_above_the_bound_rounds_to_outputs(
    floats: onnx.ModelProto, samples: list[list[LossSample]]
) -> None:
    seen, unseen = map(sample_set, samples)
    corrected = Recipe(EXACT.preset, bias_corrections={"head": (0.001,) * 24})
    done = round_weights(floats, SPEC, corrected, unseen, seen, STRICT_DB)
    assert done.rounding is Rounding.TO_OUTPUTS
    assert "rounded to outputs" in done.note
    assert done.model != floats
    # The corrections are in the rounded biases.
    assert done.recipe == EXACT


def test_without_samples_nothing_is_rounded_and_the_note_says_so(
    floats: onnx.ModelProto, samples: list[list[LossSample]]
) -> None:
    _, unseen = map(sample_set, samples)
    for validation, calibration, note in (
        (NONE, unseen, "no real samples to measure"),
        (unseen, NONE, "no samples to round"),
    ):
        done = round_weights(floats, SPEC, EXACT, validation, calibration, STRICT_DB)
        assert (done.model, done.rounding) == (floats, Rounding.NEAREST)
        assert note in done.note


@pytest.fixture(scope="module")
def entries(
    network: nn.Module, samples: list[list[LossSample]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, NetworkEntry]]:
    """The network exported from the same weights in several ways."""
    folder = tmp_path_factory.mktemp("rounded")
    (folder / "weights").mkdir()
    save_file(network.state_dict(), folder / "weights" / "enhancer-nano.safetensors")
    first, second = samples

    def export(
        name: str,
        calibration: Sequence[LossSample],
        max_drop_db: float,
        ranges: RangeMethod = RangeMethod.ARCHITECTURE,
        target: str = "cpu",
    ) -> tuple[Path, NetworkEntry]:
        options = ExportOptions(
            folder / name,
            size=SIZE,
            target=target,
            ranges=ranges,
            arithmetic=Arithmetic.EXACT,
            networks=(SPEC.name,),
            max_drop_db=max_drop_db,
            keep_float=True,
            keep_failed=True,
            simplify=False,
            weights=folder / "weights",
            cache=Cache(folder / "cache"),
        )
        with contextlib.suppress(GateError):
            export_networks(options, lambda _: second, calibration=lambda _: calibration)
        manifest = Manifest.load(options.directory)
        (player,) = read_models(options.directory).networks
        assert player.model_id == manifest.networks[0].model_id
        return options.directory, manifest.networks[0]

    return {
        "nearest": export("nearest", first, 99),
        "openvino": export("openvino", first, 99, target="openvino"),
        "nearest of others": export("others", second, 99),
        "to outputs": export("outputs", first, STRICT_DB),
        "to outputs of others": export("outputs-others", first[:2], STRICT_DB),
        "calibrated": export("calibrated", first, 99, RangeMethod.MINMAX),
    }


def test_different_exact_integers_never_share_an_id(
    entries: dict[str, tuple[Path, NetworkEntry]],
) -> None:
    ids = {name: entry.model_id for name, (_, entry) in entries.items()}
    hashes = {name: entry.sha256 for name, (_, entry) in entries.items()}
    # Data had no say in these.
    for same in ("openvino", "nearest of others"):
        assert ids.pop(same) == ids["nearest"]
        assert hashes.pop(same) == hashes["nearest"]
    assert len(set(ids.values())) == len(set(hashes.values())) == len(ids) == 4


def test_files_and_manifest_tell_the_rounding(
    entries: dict[str, tuple[Path, NetworkEntry]],
) -> None:
    for name, (folder, entry) in entries.items():
        expected = "to outputs" if name.startswith("to outputs") else "nearest"
        assert (entry.arithmetic, entry.rounding) == ("exact", expected)
        assert expected in entry.notes["round"]
        for file in (entry.file, "enhancer.fp32.onnx"):
            stored = {p.key: p.value for p in onnx.load(folder / file).metadata_props}
            assert stored["edgecodec.model_id"] == entry.model_id
    nearest, rounded = entries["nearest"][1], entries["to outputs"][1]
    assert rounded.drop_db is not None
    assert nearest.drop_db is not None
    assert rounded.drop_db < nearest.drop_db
