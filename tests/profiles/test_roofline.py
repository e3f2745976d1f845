from __future__ import annotations

import dataclasses
from pathlib import Path

import onnx
import pytest
from edgecodec.profiles import GraphCost, LayerCost, LayerTime, count_graph, load_device, predict
from edgecodec.profiles.confidence import widening
from edgecodec.profiles.device import Basis, DeviceProfile, Figure
from edgecodec.profiles.fitted import RooflineParameters, load_fitted
from edgecodec.runtime.errors import DeviceError, UnsupportedError

FLOAT = onnx.TensorProto.FLOAT


def conv(cin: int, cells: int, cout: int | None = None, groups: int = 1) -> LayerCost:
    """A 3x3 convolution over `cells` positions."""
    cout = cout or cin
    weights = cin // groups * cout * 9
    return LayerCost(
        "conv", "Conv", weights * cells, weights, cin * cells, cout * cells, cin, cout, groups
    )


def graph(
    *layers: LayerCost, precision: str = "w8a8", io: int = 0, padding: float = 1.0
) -> GraphCost:
    return GraphCost(tuple(layers), 0, io, 0, precision, 1, padding)


@pytest.fixture
def s24() -> DeviceProfile:
    return load_device("snapdragon-8gen3")


@pytest.fixture
def fit() -> RooflineParameters:
    return load_fitted("galaxy-s24").precisions["w8a8"]


def test_prediction_by_hand(s24: DeviceProfile, fit: RooflineParameters) -> None:
    cells, shape = 100 * 100, fit.structure
    layer = conv(64, cells)
    prediction = predict(graph(layer, io=1_000_000, padding=2.0), s24)
    reached = 64 / (64 + shape.half_in_channels) * 64 / (64 + shape.half_out_channels)
    reached *= cells / (cells + shape.half_positions)
    compute_ms = 2 * 64 * 64 * 9 * cells / (reached * fit.dense_tops * 1e9)
    moved = 2 * 64 * cells
    spilled = fit.spill * moved / (1 + (shape.on_chip_bytes / moved) ** 3)
    memory_ms = (layer.weights + spilled) / (fit.dram_gbps * 1e6)
    assert prediction.layers[0].compute_ms == pytest.approx(compute_ms)
    assert prediction.layers[0].memory_ms == pytest.approx(memory_ms)
    assert prediction.layers[0].bound == "compute"
    io_ms = shape.boundary * 2 / fit.dram_gbps
    assert prediction.io_ms == pytest.approx(io_ms)
    total = compute_ms + (fit.per_op_us + fit.fixed_us) * 1e-3 + io_ms
    assert prediction.interval.mid == pytest.approx(total)


def test_activations_spill_smoothly_beyond_the_chips_memory(
    s24: DeviceProfile, fit: RooflineParameters
) -> None:
    sizes = (0.05, 0.9, 1.1, 20.0)
    cells = [int(size * fit.structure.on_chip_bytes / 2 / 32) for size in sizes]
    small, below, above, large = predict(graph(*(conv(32, n) for n in cells)), s24).layers

    def share(time: LayerTime) -> float:
        moved = time.memory_ms * fit.dram_gbps * 1e6 - time.layer.weights
        return moved / time.layer.activation_elements

    assert share(small) < 0.01 * fit.spill
    assert share(below) < share(above) < 2.2 * share(below)
    assert share(large) == pytest.approx(fit.spill, rel=0.01)


def test_channels_are_padded(s24: DeviceProfile, fit: RooflineParameters) -> None:
    multiple = fit.structure.channel_alignment
    narrow, full = predict(graph(conv(multiple + 1, 1000), conv(2 * multiple, 1000)), s24).layers
    # Nearly: a wider layer comes a little closer to the peak.
    assert narrow.compute_ms == pytest.approx(full.compute_ms, rel=0.1)
    assert narrow.layer.macs < 0.3 * full.layer.macs


def test_wide_layers_on_many_positions_come_closest_to_the_peak(
    s24: DeviceProfile, fit: RooflineParameters
) -> None:
    layers = (conv(32, 49), conv(32, 10_000), conv(512, 10_000))
    tops = [
        2 * time.layer.macs / time.compute_ms * 1e-9 for time in predict(graph(*layers), s24).layers
    ]
    assert tops == sorted(tops)
    assert 0.97 * fit.dense_tops < tops[-1] < fit.dense_tops


def test_depthwise_runs_at_its_own_peak(s24: DeviceProfile, fit: RooflineParameters) -> None:
    layer = conv(64, 10_000, groups=64)
    (time,) = predict(graph(layer), s24).layers
    shape = fit.structure
    reached = 10_000 / (10_000 + shape.half_positions) / shape.depthwise_slowdown
    assert time.compute_ms == pytest.approx(2 * layer.macs / (reached * fit.dense_tops * 1e9))


def test_nodes_that_only_move_bytes(s24: DeviceProfile, fit: RooflineParameters) -> None:
    concat = LayerCost("cat", "Concat", 0, 0, 1000, 1000, 0, 0, 1)
    (time,) = predict(graph(concat), s24).layers
    assert time.compute_ms == 0
    assert time.memory_ms == pytest.approx(2000 / (fit.vector_gbps * 1e6), rel=1e-3)
    assert time.overhead_ms == pytest.approx(fit.per_op_us * fit.structure.moving_ops * 1e-3)


def test_inputs_and_outputs_travel_as_deep_as_they_are_stored(
    s24: DeviceProfile, fit: RooflineParameters
) -> None:
    weight = onnx.helper.make_tensor("w", FLOAT, [64, 3, 1, 1], [0.5] * 192)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Conv", ["x", "w"], ["y"])],
            "g",
            [onnx.helper.make_tensor_value_info("x", FLOAT, [1, 3, None, None])],
            [onnx.helper.make_tensor_value_info("y", FLOAT, [1, 64, None, None])],
            [weight],
        )
    )
    cost = count_graph(model, {"x": (1, 3, 20, 30)})
    assert cost.boundary_padding == pytest.approx((32 + 64) / (3 + 64))
    stored = dataclasses.replace(cost, precision="w8a8")
    io_ms = fit.structure.boundary * (32 + 64) * 20 * 30 / (fit.dram_gbps * 1e6)
    assert predict(stored, s24).io_ms == pytest.approx(io_ms)


def test_sixteen_bit_activations_cost_more(s24: DeviceProfile) -> None:
    layers = tuple(conv(64, 100_000) for _ in range(6))
    eight, sixteen = (
        predict(graph(*layers, precision=name), s24).interval.mid for name in ("w8a8", "w8a16")
    )
    assert 1.2 * eight < sixteen < 4 * eight


def like_calibration() -> GraphCost:
    """Twenty layers of 64 channels: about the size of a small super-resolution network."""
    return graph(*(conv(64, 128 * 128) for _ in range(20)))


def test_interval_spans_the_fits_errors_and_says_what_it_is(
    s24: DeviceProfile, fit: RooflineParameters
) -> None:
    cost = like_calibration()
    assert widening(cost, fit.nearest, fit.reach) == 1
    interval = predict(cost, s24).interval
    assert interval.low == pytest.approx(interval.mid * fit.reach.low)
    assert interval.high == pytest.approx(interval.mid * fit.reach.high)
    assert interval.low < interval.mid < interval.high
    assert interval.coverage == fit.reach.coverage
    assert f"{fit.error.networks} public w8a8 latencies" in interval.basis
    assert f"{fit.reach.coverage:.0%}" in interval.basis


def test_interval_widens_far_from_the_calibration_set(s24: DeviceProfile) -> None:
    near = predict(like_calibration(), s24).interval
    far = predict(graph(*(conv(1024, 4_000_000) for _ in range(20))), s24).interval
    assert far.high / far.mid > 1.2 * near.high / near.mid
    assert far.mid / far.low > 1.2 * near.mid / near.low
    assert "widened" in far.basis
    assert "widened" not in near.basis


def test_shipped_fit_meets_its_target() -> None:
    """The bound that was set for these two devices, by the errors that ship with the fit."""
    for name in ("galaxy-s24", "x-elite-crd"):
        error = load_fitted(name).precisions["w8a8"].error
        assert error.networks >= 29
        assert error.median <= 0.12
        assert error.within_1_5x >= 0.8


def test_small_graph_is_bound_by_its_call(s24: DeviceProfile) -> None:
    assert predict(graph(conv(16, 16)), s24).bound == "dispatch"


def test_nearest_networks_are_alike(s24: DeviceProfile) -> None:
    cost = graph(*(conv(64, 128 * 128) for _ in range(33)))
    prediction = predict(cost, s24)
    assert len(prediction.nearest) == 3
    for network in prediction.nearest:
        assert 0.3 < network.gmacs / (cost.macs * 1e-9) < 3
        assert 0.3 < network.largest_layer / cost.layers[0].activation_elements < 3


def test_faster_silicon_is_predicted_faster() -> None:
    cost = graph(*(conv(64, 30_000) for _ in range(6)))
    devices = ("qcs6490", "snapdragon-8gen2", "snapdragon-8gen3", "snapdragon-8elite-gen5")
    times = [predict(cost, load_device(name)).interval.mid for name in devices]
    assert times == sorted(times, reverse=True)


def test_precision_without_parameters_is_refused(s24: DeviceProfile) -> None:
    with pytest.raises(UnsupportedError, match=r"float.*only for w8a8 or w8a16.*--int8"):
        predict(graph(conv(64, 100), precision="float"), load_device("qcs6490"))
    with pytest.raises(UnsupportedError, match="w8a32"):
        predict(graph(conv(64, 100), precision="w8a32"), s24)


def test_measured_device_has_no_prediction() -> None:
    with pytest.raises(DeviceError, match="measured"):
        predict(graph(conv(64, 100)), load_device("host"))


def test_label_scaled_is_wider_than_fitted(s24: DeviceProfile, fit: RooflineParameters) -> None:
    labelled = dataclasses.replace(
        s24,
        basis=Basis.LABEL_SCALED,
        dense_int8_tops=Figure(fit.dense_tops, "same"),
        dram_gbps=Figure(fit.dram_gbps, "same"),
        dispatch_us=Figure(fit.fixed_us, "same"),
    )
    cost = like_calibration()
    fitted, scaled = predict(cost, s24).interval, predict(cost, labelled).interval
    assert scaled.low < fitted.mid < scaled.high
    assert scaled.high / scaled.low > fitted.high / fitted.low
    assert "label-scaled" in scaled.basis
    assert scaled.coverage is None


def test_own_parameter_file(tmp_path: Path, s24: DeviceProfile) -> None:
    source = Path(load_fitted.__code__.co_filename).parent / "parameters" / "galaxy-s24.json"
    (tmp_path / "mine.json").write_text(source.read_text())
    own = dataclasses.replace(s24, parameters=str(tmp_path / "mine.json"))
    assert predict(graph(conv(64, 1000)), own) == predict(graph(conv(64, 1000)), s24)
    (tmp_path / "mine.json").write_text('{"format": 2, "title": "x"}')
    with pytest.raises(DeviceError, match=r"mine\.json.*missing"):
        predict(graph(conv(64, 1000)), own)
