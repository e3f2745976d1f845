from __future__ import annotations

import dataclasses
import importlib

import numpy as np
import onnx
import onnxruntime
import pytest
from edgecodec.profiles import (
    GraphCost,
    HostRates,
    LayerCost,
    count_graph,
    load_device,
    predict,
    predict_host,
    predictor,
    probe,
)
from edgecodec.profiles.probe_graphs import (
    concatenation,
    conv_chain,
    depth_to_space,
    multiply_chain,
)
from edgecodec.runtime.errors import UnsupportedError

RATES = HostRates("w8a8", 1, 1e8, 1e-6, 3e-6, 2e-6, 0.5e-6, 4e-6, 1e-7, 0.01, 1.2, 1.5)
CELLS = 10_000


def layer(op: str, macs: int, channels: int = 64) -> LayerCost:
    elements = channels * CELLS
    return LayerCost(op, op, macs, 0, elements, elements, channels, channels, 1)


def graph(*layers: LayerCost, precision: str = "w8a8", io: int = 0) -> GraphCost:
    return GraphCost(tuple(layers), 0, io, io, precision, 1)


def test_prediction_by_hand() -> None:
    heavy, light = layer("Conv", 10**9), layer("Conv", 10**6)
    prediction = predict_host(graph(heavy, light, io=1000), RATES)
    first, second = prediction.layers
    assert (first.ms, first.bound) == (pytest.approx(10.0), "compute")
    assert (second.ms, second.bound) == (pytest.approx(1.28), "memory")
    assert prediction.io_ms == pytest.approx(2000 * 1e-7)
    assert prediction.dispatch_ms == 0.01
    interval = prediction.interval
    assert interval.low == pytest.approx(0.01 + 2000e-7 + 11.28)
    assert interval.mid == pytest.approx(1.2 * interval.low)
    assert interval.high == pytest.approx(1.5 * interval.low)
    assert interval.coverage is None
    assert interval.basis.startswith("measured")


@pytest.mark.parametrize(
    ("cost", "ns"),
    [
        (layer("Conv", 1), 1.0),
        (layer("Conv", 1, channels=74), 3.0),
        (layer("Mul", 0), 2.0),
        (layer("Add", 0), 2.0),
        (layer("Concat", 0), 0.5),
        (layer("DepthToSpace", 0), 4.0),
    ],
)
def test_each_kind_of_operator_has_its_own_time(cost: LayerCost, ns: float) -> None:
    (time,) = predict_host(graph(cost), RATES).layers
    assert time.ms == pytest.approx(cost.activation_elements * ns * 1e-6)


def test_rates_are_for_one_precision() -> None:
    with pytest.raises(ValueError, match="w8a8"):
        predict_host(graph(layer("Conv", 1), precision="float"), RATES)
    with pytest.raises(UnsupportedError, match="w8a16"):
        probe("w8a16")


@pytest.mark.parametrize("precision", ["w8a8", "float"])
def test_probe_graphs_are_what_they_say(precision: str) -> None:
    cells = (6, 8)
    count = 48
    shape = {"x": (1, 16, *cells)}
    chain = count_graph(conv_chain(3, 16, 3, cells, precision), shape)
    assert chain.macs == 3 * 9 * 16 * 16 * count
    assert chain.precision == precision
    assert [each.op for each in chain.layers] == ["Conv"] * 3
    scaled = count_graph(multiply_chain(2, 16, cells, precision), shape)
    assert [each.op for each in scaled.layers] == ["Mul"] * 2
    both = shape | {"y": shape["x"]}
    joined = count_graph(concatenation(16, cells, precision), both)
    assert joined.activation_elements == 4 * 16 * count
    moved = count_graph(depth_to_space(16, cells, precision), shape)
    assert moved.activation_elements == 2 * 16 * count


def test_quantised_probe_graphs_run_as_integer_kernels(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("optimised")
    models = {
        "conv": conv_chain(2, 16, 3, (6, 8), "w8a8"),
        "mul": multiply_chain(2, 16, (6, 8), "w8a8"),
        "concat": concatenation(16, (6, 8), "w8a8"),
    }
    for name, model in models.items():
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(folder / f"{name}.onnx")
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        feeds = {each.name: np.full(each.shape, 100, np.uint8) for each in session.get_inputs()}
        (output,) = session.run(None, feeds)
        assert output.dtype == np.uint8
        optimised = onnx.load(folder / f"{name}.onnx")
        ops = {node.op_type for node in optimised.graph.node}
        assert any(op.startswith("QLinear") for op in ops) or ops <= {"Concat"}
        assert not ops & {"Conv", "Mul", "DequantizeLinear"}


def test_this_machine_is_probed_once_for_each_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def once(precision: str, threads: int) -> HostRates:
        asked.append((precision, threads))
        return dataclasses.replace(RATES, precision=precision)

    module = importlib.import_module("edgecodec.profiles.predictor")
    monkeypatch.setattr(module, "probe", once)
    here = predictor(load_device("host"), threads=2)
    cost = graph(layer("Conv", 10**6))
    assert here(cost) == here(cost)
    here(dataclasses.replace(cost, precision="float"))
    assert asked == [("w8a8", 2), ("float", 2)]


def test_other_devices_are_predicted_by_their_fit() -> None:
    device, cost = load_device("snapdragon-8gen3"), graph(layer("Conv", 10**9))
    assert predictor(device)(cost) == predict(cost, device)


def test_a_probe_gives_rates_that_are_all_there() -> None:
    rates = probe("w8a8", threads=1)
    assert rates.macs_per_ms > 0
    assert min(rates.conv_ms, rates.odd_conv_ms, rates.combining_ms) > 0
    assert min(rates.concat_ms, rates.moving_ms, rates.boundary_ms) >= 0
    assert rates.call_ms > 0
    assert 1 <= rates.usual <= rates.slow
    wide, narrow = graph(layer("Conv", 10**9)), graph(layer("Conv", 10**8))
    assert predict_host(wide, rates).interval.mid > predict_host(narrow, rates).interval.mid
