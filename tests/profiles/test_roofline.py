from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from edgecodec.profiles import GraphCost, LayerCost, load_device, predict
from edgecodec.profiles.device import Basis, DeviceProfile, Figure
from edgecodec.profiles.fitted import load_fitted
from edgecodec.runtime.errors import DeviceError, UnsupportedError


def conv(channels: int, cells: int, groups: int = 1) -> LayerCost:
    """A 3x3 convolution over `cells` positions."""
    weights = channels // groups * channels * 9
    elements = channels * cells
    return LayerCost(
        "conv", "Conv", weights * cells, weights, elements, elements, channels, channels, groups
    )


def graph(*layers: LayerCost, precision: str = "w8a8", io: int = 0) -> GraphCost:
    return GraphCost(tuple(layers), 0, io, 0, precision, 1)


@pytest.fixture
def s24() -> DeviceProfile:
    return load_device("snapdragon-8gen3")


def test_prediction_by_hand(s24: DeviceProfile) -> None:
    fit = load_fitted("galaxy-s24").precisions["w8a8"]
    cells = 100 * 100  # 2 x 640,000 activations: they fit on the chip
    layer = conv(64, cells)
    prediction = predict(graph(layer, io=1_000_000), s24)
    compute_ms = 2 * 64 * 64 * 9 * cells / (fit.dense_tops * 1e9)
    memory_ms = layer.weights / (fit.dram_gbps * 1e6)
    assert prediction.layers[0].compute_ms == pytest.approx(compute_ms)
    assert prediction.layers[0].memory_ms == pytest.approx(memory_ms)
    assert prediction.layers[0].bound == "compute"
    total = compute_ms + (fit.per_op_us + fit.fixed_us) * 1e-3 + 1 / fit.dram_gbps
    assert prediction.interval.mid == pytest.approx(total)


def test_activations_spill_beyond_the_chips_memory(s24: DeviceProfile) -> None:
    fit = load_fitted("galaxy-s24").precisions["w8a8"]
    just_fits = conv(1, fit.sram_bytes // 2)
    spills = conv(1, fit.sram_bytes // 2 + 1)
    near, far = predict(graph(just_fits, spills), s24).layers
    assert near.memory_ms < 0.001
    traffic_ms = fit.spill * spills.activation_elements / (fit.dram_gbps * 1e6)
    assert far.memory_ms == pytest.approx(traffic_ms, rel=1e-3)


def test_channels_are_padded_to_sixteen(s24: DeviceProfile) -> None:
    narrow, full = predict(graph(conv(17, 1000), conv(32, 1000)), s24).layers
    assert narrow.compute_ms == pytest.approx(full.compute_ms)


def test_depthwise_runs_at_its_own_peak(s24: DeviceProfile) -> None:
    fit = load_fitted("galaxy-s24").precisions["w8a8"]
    layer = conv(64, 10_000, groups=64)
    (time,) = predict(graph(layer), s24).layers
    assert time.compute_ms == pytest.approx(2 * layer.macs / (fit.depthwise_tops * 1e9))


def test_nodes_that_move_bytes_cost_no_call(s24: DeviceProfile) -> None:
    concat = LayerCost("cat", "Concat", 0, 0, 1000, 1000, 0, 0, 1)
    (time,) = predict(graph(concat), s24).layers
    assert time.ms == 0


def test_interval_spans_the_fits_errors_and_says_what_it_is(s24: DeviceProfile) -> None:
    error = load_fitted("galaxy-s24").precisions["w8a8"].error
    interval = predict(graph(conv(64, 1000)), s24).interval
    assert interval.low == pytest.approx(interval.mid / error.p90)
    assert interval.high == pytest.approx(interval.mid / error.p10)
    assert interval.low < interval.mid < interval.high
    assert interval.coverage == 0.8
    assert "29 public w8a8 latencies" in interval.basis
    assert "80%" in interval.basis


def test_small_graph_is_bound_by_its_call(s24: DeviceProfile) -> None:
    assert predict(graph(conv(16, 16)), s24).bound == "dispatch"


def test_nearest_networks_are_of_like_size(s24: DeviceProfile) -> None:
    prediction = predict(graph(conv(64, 550_000)), s24)  # 20 GMAC
    assert "real_esrgan_general_x4v3" in {item.network for item in prediction.nearest}
    assert len(prediction.nearest) == 3


def test_faster_silicon_is_predicted_faster() -> None:
    cost = graph(*(conv(64, 30_000) for _ in range(6)))
    devices = ("qcs6490", "snapdragon-8gen2", "snapdragon-8gen3", "snapdragon-8elite-gen5")
    times = [predict(cost, load_device(name)).interval.mid for name in devices]
    assert times == sorted(times, reverse=True)


def test_precision_without_parameters_is_refused(s24: DeviceProfile) -> None:
    with pytest.raises(UnsupportedError, match=r"float.*only for w8a8.*--int8"):
        predict(graph(conv(64, 100), precision="float"), load_device("qcs6490"))
    with pytest.raises(UnsupportedError, match="w8a16"):
        predict(graph(conv(64, 100), precision="w8a16"), s24)


def test_measured_device_has_no_prediction() -> None:
    with pytest.raises(DeviceError, match="measured"):
        predict(graph(conv(64, 100)), load_device("host"))


def test_label_scaled_is_derated_and_wider_than_fitted(s24: DeviceProfile) -> None:
    fit = load_fitted("galaxy-s24").precisions["w8a8"]
    labelled = dataclasses.replace(
        s24,
        basis=Basis.LABEL_SCALED,
        dense_int8_tops=Figure(fit.dense_tops, "same"),
        dram_gbps=Figure(fit.dram_gbps, "same"),
        dispatch_us=Figure(fit.fixed_us, "same"),
    )
    cost = graph(conv(64, 60_000))
    fitted, scaled = predict(cost, s24).interval, predict(cost, labelled).interval
    assert scaled.mid > fitted.mid
    assert scaled.high / scaled.low > fitted.high / fitted.low
    assert "label-scaled" in scaled.basis
    assert scaled.coverage is None


def test_own_parameter_file(tmp_path: Path, s24: DeviceProfile) -> None:
    source = Path(load_fitted.__code__.co_filename).parent / "parameters" / "galaxy-s24.json"
    (tmp_path / "mine.json").write_text(source.read_text())
    own = dataclasses.replace(s24, parameters=str(tmp_path / "mine.json"))
    assert predict(graph(conv(64, 1000)), own) == predict(graph(conv(64, 1000)), s24)
    (tmp_path / "mine.json").write_text('{"format": 1, "title": "x"}')
    with pytest.raises(DeviceError, match=r"mine\.json.*missing"):
        predict(graph(conv(64, 1000)), own)
