from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgecodec.profiles import GraphCost, LayerCost
from edgecodec.profiles.fitted import RooflineParameters, load_fitted, load_transfer
from edgecodec.profiles.fitting import __main__ as command
from edgecodec.profiles.fitting.devices import DEVICES, prior
from edgecodec.profiles.fitting.families import family
from edgecodec.profiles.fitting.model import DEVICE, SHARED, Array, Model, Variant
from edgecodec.profiles.fitting.public_data import (
    NORMALISE,
    Latencies,
    Network,
    network,
    read_latencies,
)
from edgecodec.profiles.fitting.solve import solve
from edgecodec.profiles.fitting.validate import (
    chosen_alone,
    covered,
    reach,
    single_errors,
    summary,
)
from edgecodec.profiles.roofline import boundary_ms, layer_time

VARIANT = Variant(channel_alignment=16)


def random_layer(rng: np.random.Generator) -> LayerCost:
    cin, cout = (int(rng.choice([3, 16, 24, 64, 128, 320])) for _ in range(2))
    cells = int(rng.integers(49, 60_000))
    kind = rng.integers(4)
    if kind == 0:
        return LayerCost("add", "Add", 0, 0, 2 * cells * cin, cells * cin, 0, 0, 1)
    groups = cin if kind == 1 else 1
    cout = cin if kind == 1 else cout
    weights = cin // groups * cout * 9
    return LayerCost(
        "c", "Conv", weights * cells, weights, cin * cells, cout * cells, cin, cout, groups
    )


def random_networks(count: int, precision: str = "w8a8") -> list[Network]:
    rng = np.random.default_rng(7)
    networks = []
    for index in range(count):
        layers = tuple(random_layer(rng) for _ in range(int(rng.integers(4, 30))))
        cost = GraphCost(layers, 0, 150_000, 1000, precision, 1, boundary_padding=3.5)
        networks.append(Network(f"net{index}", f"family{index // 2}", "1x3x224x224", cost))
    return networks


def truth(devices: int, precision: str = "w8a8") -> tuple[Array, Array]:
    """Parameters somewhat off what is expected."""
    expected = prior(DEVICES[:devices], precision)
    rng = np.random.default_rng(3)
    device = expected.device + 0.3 * rng.standard_normal(expected.device.shape)
    return device, expected.shared + 0.2 * rng.standard_normal(len(SHARED))


def latencies(networks: list[Network], log_ms: Array, precision: str = "w8a8") -> Latencies:
    columns = tuple(device.column for device in DEVICES[: len(log_ms)])
    return Latencies(precision, columns, tuple(networks), log_ms)


@pytest.fixture
def measured() -> Latencies:
    """Twenty networks on three devices by the formula, a tenth of noise, and one outlier."""
    networks = random_networks(20)
    log_ms = Model(networks, VARIANT).log_ms(*truth(3))
    log_ms += 0.05 * np.random.default_rng(5).standard_normal(log_ms.shape)
    log_ms[:, 4] += math.log(4)
    return latencies(networks, log_ms)


@pytest.mark.parametrize("precision", ["w8a8", "w8a16", "float"])
def test_fitted_formula_is_the_one_that_predicts(precision: str, tmp_path: Path) -> None:
    networks = random_networks(6, precision)
    model = Model(networks, VARIANT)
    device, shared = truth(1, precision)
    values = dict(zip(DEVICE, np.exp(device[0]), strict=True))
    values.pop("normalise_gpixels")
    parameters = parameters_like(values, model, shared)
    for item, log_ms in zip(networks, model.log_ms(device, shared)[0], strict=True):
        layers = (layer_time(layer, parameters, precision) for layer in item.cost.layers)
        total = sum(layer.ms for layer in layers) + boundary_ms(item.cost, parameters)
        assert total + parameters.fixed_us * 1e-3 == pytest.approx(math.exp(log_ms), rel=1e-9)


def parameters_like(values: dict[str, float], model: Model, shared: Array) -> RooflineParameters:
    some = load_fitted("galaxy-s24").precisions["w8a8"]
    return RooflineParameters(
        **values,
        structure=model.structure(shared),
        error=some.error,
        family_error=some.family_error,
        reach=some.reach,
        nearest=(),
    )


def test_fit_finds_what_made_the_latencies_despite_an_outlier(measured: Latencies) -> None:
    model = Model(measured.networks, VARIANT)
    errors = single_errors(model, measured, prior(DEVICES[:3], "w8a8"))
    others = np.delete(errors, 4, axis=1)
    assert summary(others).median < 0.08
    assert summary(others).within_1_5x == 1
    assert np.all(errors[:, 4] < math.log(0.4))


def test_left_out_network_is_not_seen(measured: Latencies) -> None:
    model, expected = Model(measured.networks, VARIANT), prior(DEVICES[:3], "w8a8")
    fitted = np.arange(20) != 6
    changed = measured.log_ms.copy()
    changed[:, 6] += 2.0
    first = solve(model, measured.log_ms, expected, fitted)
    second = solve(model, changed, expected, fitted)
    np.testing.assert_array_equal(first.device, second.device)
    np.testing.assert_array_equal(first.shared, second.shared)


def test_missing_latencies_are_no_latencies(measured: Latencies) -> None:
    holes = measured.log_ms.copy()
    holes[1, 3:9] = np.nan
    errors = single_errors(
        Model(measured.networks, VARIANT),
        latencies(list(measured.networks), holes),
        prior(DEVICES[:3], "w8a8"),
    )
    assert np.isnan(errors[1, 3:9]).all()
    assert np.isfinite(np.delete(errors[1], range(3, 9))).all()


def test_variant_is_chosen_without_the_network_that_is_judged() -> None:
    good, bad = np.full((2, 5), 0.05), np.full((2, 5), 0.4)
    bad[:, 2] = 0.0
    errors, chosen = chosen_alone([bad, good])
    # Choosing by the judged network itself would pick the other one here.
    assert chosen[2] == 1
    assert errors[0, 2] == 0.05


def test_interval_holds_what_it_says() -> None:
    rng = np.random.default_rng(11)
    near = np.ones(30)
    inside = [
        covered(errors, errors, near).mean()
        for errors in (0.2 * rng.standard_normal(30) for _ in range(200))
    ]
    assert 0.76 < float(np.mean(inside)) < 0.88


def test_interval_is_of_measured_over_predicted() -> None:
    errors = np.log(np.linspace(0.5, 1.2, 40))
    limits = reach(errors, np.ones(40))
    assert limits.low == pytest.approx(1 / 1.13, rel=0.03)
    assert limits.high == pytest.approx(1 / 0.57, rel=0.03)
    assert limits.coverage == 0.8


def test_error_of_a_remote_network_counts_for_remote_ones() -> None:
    errors, distances = np.full(40, 0.1), np.ones(40)
    errors[:4] = -0.6
    distances[:4] = 4.0
    beside = reach(errors, np.ones(40))
    apart = reach(errors, distances)
    assert apart.high < beside.high
    # At their own distance the interval does hold them.
    assert apart.high ** (4.0 / apart.radius) >= math.exp(0.6) * 0.999


def row(op: str, shape: tuple[int, ...], read: int, **conv: Any) -> dict[str, Any]:
    layer: dict[str, Any] = {"op": op, "macs": 0, "i": read, "o": math.prod(shape), "w": 0}
    return layer | conv


def convolution(cin: int, cout: int, side: int, *, k: int = 3, stride: int = 1) -> dict[str, Any]:
    taps = k * k
    return row(
        "conv",
        (cout, side, side),
        cin * (side * stride) ** 2,
        cin=cin,
        cout=cout,
        k=[k, k],
        groups=1,
        stride=[stride, stride],
        out=[side, side],
        macs=cin * cout * taps * side * side,
        w=cin * cout * taps,
    )


def listing(*layers: dict[str, Any], side: int = 32) -> dict[str, Any]:
    return {"params": 1, "input": f"1x3x{side}x{side}", "gmacs": 1.0, "layers": list(layers)}


def test_listing_gains_the_pooling_and_normalisation_that_it_leaves_out() -> None:
    layers = listing(
        convolution(3, 16, 32),
        row("relu", (16, 32, 32), 16 * 32 * 32),
        convolution(16, 32, 16),
        row("cat", (48, 16, 16), 48 * 256),
        row("relu", (48, 16, 16), 48 * 256),
    )
    found = network("resnet18", layers, "w8a8")
    assert [layer.op for layer in found.cost.layers] == [
        *(NORMALISE, "Conv", "MaxPool", "Conv", "cat", "relu")
    ]
    pool = found.cost.layers[2]
    assert (pool.input_elements, pool.output_elements) == (16 * 32 * 32, 16 * 16 * 16)
    as_it_is = network("unet_segmentation", layers, "w8a8")
    assert as_it_is.cost.layers[0].op == "Conv"


def test_families() -> None:
    assert family("ffnet_78s_lowres") == family("ffnet_40s") == "ffnet"
    assert family("resnet_3d") != family("resnet50") == family("wideresnet50")
    assert family("googlenet") == "googlenet"


def write_data(folder: Path, rows: Iterable[tuple[str, str, str, float]]) -> None:
    """A data folder of small networks; rows are network, precision, device, milliseconds."""
    listings = {
        f"net{index}": listing(
            convolution(3, 16 + 8 * index, 32),
            *(convolution(16 + 8 * index, 16 + 8 * index, 32) for _ in range(index + 1)),
            row("add", (16 + 8 * index, 32, 32), 2 * (16 + 8 * index) * 1024),
        )
        for index in range(9)
    }
    listings["sd15_vae_decoder"] = listing(convolution(4, 64, 64), convolution(64, 3, 64))
    (folder / "device_model_layers.json").write_text(json.dumps(listings))
    with (folder / "device_points.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("model", "precision", "device", "runtime", "compute_unit", "ms"))
        for name, precision, device, ms in rows:
            runtime = "qnn_context_binary" if ":" in name else "qnn_dlc"
            writer.writerow((name, precision, device, runtime, "NPU", ms))
        writer.writerow(("net0", "w8a8", DEVICES[0].column, "tflite", "NPU", 99.0))
        writer.writerow(("net0", "w8a8", DEVICES[0].column, "qnn_dlc", "CPU", 99.0))


def test_only_graphs_on_the_npu_are_read(tmp_path: Path) -> None:
    first, second = DEVICES[0].column, DEVICES[1].column
    rows = [(f"net{i}", "w8a8", first, 1.0 + i) for i in range(9)]
    write_data(tmp_path, [*rows, ("net0", "w8a8", second, 5.0), ("other", "w8a8", first, 5.0)])
    found = read_latencies(tmp_path, "w8a8", (first, second), frozenset({"net8"}))
    assert found.devices == (first,)
    assert [item.name for item in found.networks] == [f"net{i}" for i in range(8)]
    assert np.exp(found.log_ms[0]) == pytest.approx([1.0 + i for i in range(8)])


def test_command_writes_parameters_that_load_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [device.column for device in DEVICES[:2]]
    rng = np.random.default_rng(2)
    rows = [
        (f"net{i}", precision, device, float((0.2 + 0.05 * i) * scale * rng.uniform(0.95, 1.05)))
        for precision, scale in (("w8a8", 1.0), ("w8a16", 1.7), ("float", 2.4))
        for device in columns
        for i in range(9)
    ]
    decoder = [("sd:vae", "w8a16", device, 0.4) for device in columns]
    write_data(tmp_path, [*rows, *decoder])
    out = tmp_path / "out"
    arguments = [str(tmp_path), "--parameters", str(out), "--report", str(tmp_path / "r.md")]
    monkeypatch.setattr(sys, "argv", ["fitting", *arguments])
    monkeypatch.setattr(command, "DEVICES", DEVICES[:2])
    command.main()
    fitted = load_fitted(str(out / "galaxy-s24.json"))
    assert set(fitted.precisions) == {"w8a8", "w8a16", "float"}
    assert fitted.precisions["w8a8"].error.networks == 9
    assert len(fitted.precisions["w8a8"].nearest) == 9
    assert json.loads((out / "transfer.json").read_text())["predictions"] == 18
    text = (tmp_path / "r.md").read_text()
    assert "the padding chosen without the network that is judged" in text
    assert "net8" in text
    assert not list(tmp_path.rglob("*.part"))


def test_transfer_file_is_whole() -> None:
    found = load_transfer()
    assert found.p10 < 1 < found.p90
    assert found.efficiency_low <= found.efficiency_mid <= found.efficiency_high
