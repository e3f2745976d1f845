"""Which layers are promoted, by measures that are known beforehand and by real networks."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import onnx
import pytest
from edgecodec.decoder.networks import NetworkSpec, PortSpec
from edgecodec.export.check import to_levels, to_real
from edgecodec.export.graph import to_bytes
from edgecodec.export.loss import packed_psnr
from edgecodec.export.quantization import (
    LayerPrecision,
    Recipe,
    preset,
    quantize,
    uint8_boundary,
)
from edgecodec.export.sensitivity import Promotion, analyse
from edgecodec.export.sessions import open_session
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FLOAT_DB = 40.0
INT8 = LayerPrecision.INT8


def chain(weights: Mapping[str, NDArray[np.float32]]) -> tuple[onnx.ModelProto, NetworkSpec]:
    """1x1 convolutions by name, ReLU6 after all but the last, pixels in and out."""
    constants = {"low": np.array(0, np.float32), "high": np.array(6, np.float32)}
    nodes = []
    source = "x"
    for name, weight in weights.items():
        last = name == list(weights)[-1]
        output = "frame_out" if last else f"{name}.sums"
        constants[f"{name}.weight"] = weight
        nodes.append(helper.make_node("Conv", [source, f"{name}.weight"], [output]))
        if not last:
            source = f"{name}.features"
            nodes.append(helper.make_node("Clip", [output, "low", "high"], [source]))
    shape = [1, 6, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("frame_out", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])
    port = PortSpec("x", 6, 4, 1 / 255, 0)
    return model, NetworkSpec("chain", "toy", (port,), (replace(port, name="frame_out"),))


def diagonal(factor: float) -> NDArray[np.float32]:
    return (factor * np.eye(6)).astype(np.float32)[:, :, None, None]


FIVE = {name: diagonal(1) for name in ("a", "b", "c", "d", "e")}
"""Five layers of the same cost."""


def additive(**losses: float) -> Callable[[Recipe], float]:
    """A network of which each layer loses so much in INT8, whatever the others do."""

    def measure(recipe: Recipe) -> float:
        lost = [db for n, db in losses.items() if recipe.precision.get(n, INT8) is INT8]
        return FLOAT_DB - math.fsum(lost)

    return measure


def test_the_worst_layer_is_promoted_first_and_no_more_than_is_needed() -> None:
    measure = additive(a=0.01, b=0.3, c=0.02, d=0.1, e=0.0)
    recipe = Recipe(preset("cpu"))
    report = analyse(*chain(FIVE), recipe, measure, FLOAT_DB, 0.05)
    assert [each.layer for each in report.ranking] == ["b", "d", "c", "a", "e"]
    assert report.ranking[0].drop_db == pytest.approx(0.3)
    assert report.ranking[0].psnr_db == pytest.approx(39.7)
    assert report.holds
    assert report.chosen.promoted == ("b", "d")
    assert report.chosen.macs_share == pytest.approx(2 / 5)
    assert report.chosen.drop_db == pytest.approx(0.03)
    chosen = report.applied(recipe)
    assert chosen.precision == {"b": LayerPrecision.FLOAT, "d": LayerPrecision.FLOAT}
    assert measure(chosen) == report.chosen.psnr_db


def test_what_holds_already_stays_as_it_is() -> None:
    recipe = Recipe(preset("qnn"))
    report = analyse(*chain(FIVE), recipe, additive(b=0.04), FLOAT_DB, 0.05)
    assert report.holds
    assert report.chosen == Promotion((), 0.0, FLOAT_DB - 0.04, pytest.approx(0.04))
    assert report.applied(recipe) == recipe
    assert report.promotion is LayerPrecision.A16W8


def test_a_promotion_that_later_ones_make_needless_is_taken_back() -> None:
    """Layer a looks worst alone, but what it loses is lost only where b is in INT8 too."""

    def measure(recipe: Recipe) -> float:
        int8 = {n for n in FIVE if recipe.precision.get(n, INT8) is INT8}
        if len(int8) == 1:
            return FLOAT_DB - {"a": 0.5, "b": 0.4}.get(min(int8), 0.0)
        return FLOAT_DB - (1.0 if "b" in int8 else 0.0)

    report = analyse(*chain(FIVE), Recipe(preset("cpu")), measure, FLOAT_DB, 0.05)
    assert [each.layer for each in report.ranking[:2]] == ["a", "b"]
    assert report.chosen.promoted == ("b",)


def test_where_nothing_holds_the_best_is_named() -> None:
    def measure(recipe: Recipe) -> float:
        return FLOAT_DB - 1 + 0.1 * ("c" in recipe.precision) - 0.01 * len(recipe.precision)

    report = analyse(*chain(FIVE), Recipe(preset("cpu")), measure, FLOAT_DB, 0.05)
    assert not report.holds
    assert "c" in report.chosen.promoted
    assert report.chosen.psnr_db == max(each.psnr_db for each in report.measured)


def test_layers_that_the_recipe_promotes_stay_promoted() -> None:
    seen: list[Recipe] = []

    def measure(recipe: Recipe) -> float:
        seen.append(recipe)
        return additive(a=1, b=0.2, c=0.0)(recipe)

    recipe = Recipe(preset("cpu"), precision={"a": LayerPrecision.A16W8, "c": INT8})
    report = analyse(*chain(FIVE), recipe, measure, FLOAT_DB, 0.05)
    assert {each.layer for each in report.ranking} == {"b", "c", "d", "e"}
    assert all(each.precision["a"] is LayerPrecision.A16W8 for each in seen)
    assert report.applied(recipe).precision == {**recipe.precision, "b": LayerPrecision.FLOAT}


@given(
    st.fixed_dictionaries({name: st.sampled_from([0, 1, 2, 4, 8, 16]) for name in FIVE}),
    st.integers(0, 31),
)
def test_the_chosen_set_is_the_smallest_where_losses_add_up(
    losses: dict[str, int], allowed: int
) -> None:
    asked = 0
    known = additive(**losses)

    def measure(recipe: Recipe) -> float:
        nonlocal asked
        asked += 1
        return known(recipe)

    report = analyse(*chain(FIVE), Recipe(preset("cpu")), measure, FLOAT_DB, allowed)
    needed, left = 0, sum(losses.values())
    for loss in sorted(losses.values(), reverse=True):
        if left <= allowed:
            break
        needed, left = needed + 1, left - loss
    assert report.holds
    assert report.chosen.drop_db <= allowed
    assert len(report.chosen.promoted) == needed
    assert asked <= 3 * len(FIVE) + 1


@given(st.fixed_dictionaries({name: st.floats(0, 1) for name in FIVE}))
def test_no_point_of_the_pareto_front_is_beaten(losses: dict[str, float]) -> None:
    report = analyse(*chain(FIVE), Recipe(preset("cpu")), additive(**losses), FLOAT_DB, 0.1)
    front = report.pareto
    assert front[0].promoted == ()
    for one in front:
        assert not any(
            other.macs_share <= one.macs_share
            and other.psnr_db >= one.psnr_db
            and (other.macs_share, other.psnr_db) != (one.macs_share, one.psnr_db)
            for other in report.measured
        )
    shares = [point.macs_share for point in front]
    assert shares == sorted(set(shares))
    assert max(report.measured, key=lambda p: p.psnr_db).psnr_db == front[-1].psnr_db


def test_a_report_is_json() -> None:
    told: list[str] = []
    report = analyse(
        *chain(FIVE),
        Recipe(preset("cpu")),
        additive(b=0.1),
        FLOAT_DB,
        math.inf,
        progress=told.append,
    )
    described = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert described["max_drop_db"] is None
    assert described["ranking"][0]["layer"] == "b"
    assert described["pareto"][0] == {
        "promoted": [],
        "macs_share": 0.0,
        "psnr_db": FLOAT_DB - 0.1,
        "drop_db": pytest.approx(0.1),
    }
    assert told[0] == "only a in int8"
    assert "no layer in float" in told


def fidelity(model: onnx.ModelProto, spec: NetworkSpec) -> Callable[[Recipe], float]:
    """PSNR in dB of the uint8 graph's frame against the float graph's."""
    levels = np.random.default_rng(8).integers(0, 256, (1, 6, 40, 40), dtype=np.uint8)
    real = {"x": to_real(levels, spec.inputs[0])}
    (frame,) = open_session(to_bytes(model), "float").run(["frame_out"], real)
    target = to_levels(frame, spec.outputs[0])

    def measure(recipe: Recipe) -> float:
        graph = uint8_boundary(quantize(model, spec, recipe), spec, recipe)
        (actual,) = open_session(to_bytes(graph), "int8").run(["frame_out"], {"x": levels})
        return packed_psnr(actual, target)

    return measure


def test_a_layer_whose_weights_no_int8_scale_holds_is_found() -> None:
    """Each of its channels has a weight of 100 for features that are always zero."""
    broken = diagonal(0.5)
    broken[:, 5] = 100
    dead = diagonal(1)
    dead[5] = -1
    model, spec = chain({"a": diagonal(5), "b": dead, "c": broken, "d": diagonal(0.4)})
    measure = fidelity(model, spec)
    recipe = Recipe(preset("cpu"))
    report = analyse(model, spec, recipe, measure, 100.0, 60.0)
    assert report.ranking[0].layer == "c"
    assert report.chosen.promoted == ("c",)
    assert report.holds
    assert measure(report.applied(recipe)) > measure(recipe) + 10


def test_a_layer_that_needs_16_bits_is_found() -> None:
    """Features of at most 0.1, in steps of 6/255, that the layer after them brings to 1."""
    weights = {"a": diagonal(1), "b": diagonal(0.1), "c": diagonal(10), "d": diagonal(1)}
    model, spec = chain(weights)
    measure = fidelity(model, spec)
    recipe = Recipe(preset("qnn"))
    report = analyse(model, spec, recipe, measure, 100.0, 60.0)
    assert report.promotion is LayerPrecision.A16W8
    assert report.ranking[0].layer in ("b", "c")
    assert set(report.chosen.promoted) <= {"b", "c"}
    assert report.holds
    assert measure(report.applied(recipe)) > measure(recipe) + 10
