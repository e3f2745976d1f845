from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from edgecodec.decoder.networks import network_names
from edgecodec.profiles import (
    Decoding,
    FrameSize,
    MeasureOptions,
    ProfileReport,
    Verdict,
    check_min_fps,
    html_report,
    load_device,
    parse_size,
    profile_models,
    write_html,
)
from edgecodec.profiles.table import print_report
from edgecodec.runtime.errors import (
    GateError,
    ModelError,
    ProviderError,
    UnsupportedError,
)
from rich.console import Console

SMALL = FrameSize(120, 72)
QUICK = MeasureOptions(runs=4, warmup=1, threads=1)


@pytest.fixture(scope="session")
def report(models: Path) -> ProfileReport:
    return profile_models(models, load_device("snapdragon-40tops"), SMALL, 30, QUICK)


def test_json_has_the_names_that_scripts_read(report: ProfileReport) -> None:
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert data["device"] == "snapdragon-40tops"
    assert data["size"] == {"width": 120, "height": 72}
    assert [network["name"] for network in data["networks"]] == list(network_names())
    for network in data["networks"]:
        assert network["tops"] == pytest.approx(2e-12 * network["macs"])
        assert network["macs_per_pixel"] == pytest.approx(network["macs"] / (120 * 72))
        assert network["parameters"] > 0
        assert network["activation_bytes"] > 0
        low, mid, high = (network["predicted_ms"][key] for key in ("low", "mid", "high"))
        assert 0 < low < mid < high
        assert network["predicted_ms"]["basis"].startswith("fitted")
        measured = network["measured_ms"]
        assert 0 < measured["p50"] <= measured["p90"] <= measured["p99"]
        assert measured["provider"] == "CPUExecutionProvider"
        assert network["placement"]["percent"] == 100.0
        assert sum(layer["macs"] for layer in network["layers"]) == network["macs"]


def test_the_heaviest_frame_decides(report: ProfileReport) -> None:
    data = report.to_dict()
    slowest = max(data["networks"], key=lambda network: network["frame"]["ms"]["mid"])
    assert data["slowest_network"] == slowest["name"]
    assert data["predicted_ms"] == slowest["predicted_ms"]
    assert data["frame_ms"] == slowest["frame"]["ms"]
    assert data["measured_ms"] == slowest["measured_ms"]
    assert data["tops_per_frame"] == max(network["tops"] for network in data["networks"])
    assert data["fps"] == pytest.approx(1000 / data["frame_ms"]["mid"])
    assert data["headroom"] == pytest.approx(data["fps"] / 30)


def test_what_only_some_streams_ask_for_is_told_and_not_counted(report: ProfileReport) -> None:
    text, data = _text(report), report.to_dict()
    assert [each["name"] for each in data["not_counted"]] == ["scene filter", "detail"]
    for each in data["not_counted"]:
        low, mid, high = (each["ms"][key] for key in ("low", "mid", "high"))
        assert 0 < low < mid < high
        assert each["runs_on"] == "CPU"
        assert f"{each['name']} (CPU): {low:.2f} / {mid:.2f} / {high:.2f} ms" in text
        for network in data["networks"]:
            assert each["name"] not in [stage["name"] for stage in network["frame"]["stages"]]
    large = replace(report, size=FrameSize(1200, 720)).to_dict()
    for small, each in zip(data["not_counted"], large["not_counted"], strict=True):
        assert each["ms"]["mid"] == pytest.approx(100 * small["ms"]["mid"])


def test_passes_and_gate(models: Path) -> None:
    device = load_device("snapdragon-40tops")
    easy = profile_models(models, device, SMALL, fps=30)
    assert easy.passes
    hard = profile_models(models, device, SMALL, fps=2 * easy.fps)
    assert not hard.passes
    check_min_fps(easy, 0.99 * easy.fps)
    with pytest.raises(GateError, match=r"below --min-fps.*lighter tier"):
        check_min_fps(easy, 1.01 * easy.fps)


def test_the_five_costliest_layers(report: ProfileReport) -> None:
    for network in report.networks:
        times = [layer.ms for layer in network.costliest]
        assert len(times) == 5
        assert times == sorted((layer.ms for layer in network.prediction.layers), reverse=True)[:5]


def test_a_warm_device_is_slower_and_the_report_says_that_it_is_assumed(models: Path) -> None:
    device = load_device("snapdragon-40tops")
    cool = profile_models(models, device, SMALL)
    warm = profile_models(models, device, SMALL, sustained=0.5)
    for before, after in zip(cool.networks, warm.networks, strict=True):
        assert after.predicted.mid == pytest.approx(2 * before.predicted.mid)
    assert warm.to_dict()["sustained"] == 0.5
    assert "Sustained, an assumption" in _text(warm)
    assert "Sustained, an assumption" not in _text(cool)


def test_a_base_that_nothing_decodes_fails(models: Path) -> None:
    slow = Decoding(("h265",), FrameSize(64, 64), 30.0, "a data sheet")
    device = replace(load_device("snapdragon-40tops"), hardware_decode=slow)
    report = profile_models(models, device, SMALL)
    assert report.verdict is Verdict.FAIL
    assert not report.passes
    assert report.fps > 30  # the networks themselves keep up


def test_frames_are_padded_to_each_graphs_stride(report: ProfileReport, models: Path) -> None:
    padded = profile_models(models, load_device("snapdragon-40tops"), FrameSize(128, 80))
    macs = {network.name: network.cost.macs for network in report.networks}
    for network in padded.networks:
        # 120x72 divides by the 4 of those that mend a base; the others' 16 asks for 128x80.
        same = macs[network.name] == network.cost.macs
        assert same == (network.name not in ("enhancer", "generator_up"))


def test_size_defaults_to_1080p_for_dynamic_models(models: Path) -> None:
    report = profile_models(models, load_device("snapdragon-8gen3"))
    assert report.size == FrameSize(1920, 1080)
    enhancer = report.networks[-1]
    # (74 x 64 + 2 x 9 x 64 x 64 + 64 x 24) / 16 multiply-accumulates for each pixel
    assert enhancer.macs_per_pixel == 5000
    assert report.tops_per_frame == pytest.approx(2 * 5000 * 1920 * 1080 * 1e-12)
    assert enhancer.measured is None
    assert report.to_dict()["measured_ms"] is None


def test_host_is_judged_by_its_measurement(enhancer_only: Path) -> None:
    report = profile_models(enhancer_only, load_device("host"), SMALL, 30, QUICK)
    for network in report.networks:
        assert network.measured is not None
        stage = network.frame.stages[-1]
        assert stage.ms is not None
        assert stage.ms.mid == network.measured.p50_ms
        assert stage.ms.basis.startswith("measured on this machine")
        # What small graphs foretold stands beside it.
        assert network.predicted.mid == network.prediction.interval.mid > 0
    json.dumps(report.to_dict(), allow_nan=False)
    assert "measured on this machine" in _text(report)


def test_host_is_predicted_where_nothing_is_measured(enhancer_only: Path) -> None:
    report = profile_models(enhancer_only, load_device("host"), SMALL)
    for network in report.networks:
        stage = network.frame.stages[-1]
        assert stage.ms == network.predicted
        assert "timed just now" in network.predicted.basis


def test_provider_that_is_not_there_is_an_error(models: Path) -> None:
    with pytest.raises(ProviderError, match="abacus"):
        profile_models(
            models, load_device("snapdragon-8gen3"), SMALL, 30, QUICK, providers=["abacus"]
        )


def test_float_networks_are_refused_where_the_npu_has_no_floats(models: Path) -> None:
    with pytest.raises(UnsupportedError, match="qcs6490"):
        profile_models(models, load_device("qcs6490"), SMALL)


def _text(report: ProfileReport) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=160))
    return " ".join(out.getvalue().split())


def test_table_states_the_unit_the_basis_and_the_weakness(report: ProfileReport) -> None:
    text = _text(report)
    assert "1 MAC = 2 operations" in text
    assert "PASS" in text
    assert "fitted to" in text
    assert "1.1 to 1.2 a frame" in text
    assert "entropy decoding (CPU)" in text
    assert "Costliest layers" in text
    assert "merge the graphs" in text
    assert "Measured here" in text
    assert "predicted/measured" in text
    assert "Not in the prediction" in text
    for name in network_names():
        assert name in text


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_whole_and_needs_nothing_else(report: ProfileReport, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_html(report, file)
    page = file.read_text()
    assert page == html_report(report)
    parser = _Balanced()
    parser.feed(page)
    assert not parser.open
    assert {"table", "svg", "circle"} <= parser.seen
    assert not {"script", "img", "link"} & parser.seen
    assert "src=" not in page
    assert page.count("<svg") == 3
    heaviest = max(report.networks, key=lambda network: network.predicted.mid)
    for layer in heaviest.prediction.layers:
        assert layer.layer.name in page
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_html_leaves_nothing_where_it_cannot_write(report: ProfileReport, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_html(report, tmp_path / "taken")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def _edited(models: Path, folder: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    shutil.copytree(models, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_fixed_models_give_their_size_and_refuse_another(models: Path, tmp_path: Path) -> None:
    def fix(manifest: dict[str, Any]) -> None:
        manifest["size"] = {"width": 120, "height": 72}
        for network in manifest["networks"]:
            for port in network["inputs"]:
                if port["stride"]:  # what a scene has once is [1, C, 1, 1] for any size
                    port["shape"][2:] = [80 // port["stride"], 128 // port["stride"]]

    folder = _edited(models, tmp_path / "fixed", fix)
    device = load_device("snapdragon-40tops")
    report = profile_models(folder, device)
    assert report.size == SMALL
    # All graphs count at the 128x80 that they were fixed for, the enhancer too.
    dynamic = profile_models(models, device, FrameSize(128, 80))
    assert [n.cost for n in report.networks] == [n.cost for n in dynamic.networks]
    with pytest.raises(ModelError, match=r"fixed for 128x80 frames, not 1920x1080"):
        profile_models(folder, device, FrameSize(1920, 1080))


def test_folders_that_are_not_what_they_say(models: Path, tmp_path: Path) -> None:
    device = load_device("snapdragon-40tops")

    def refused(message: str, folder: Path) -> None:
        with pytest.raises(ModelError, match=message):
            profile_models(folder, device, SMALL)

    refused("edgecodec export", tmp_path)
    altered = _edited(models, tmp_path / "altered", lambda manifest: None)
    with (altered / "enhancer.onnx").open("ab") as file:
        file.write(b"\0")
    refused("export it again", altered)
    gone = _edited(models, tmp_path / "gone", lambda manifest: None)
    (gone / "enhancer.onnx").unlink()
    refused("cannot be read", gone)

    def escape(manifest: dict[str, Any]) -> None:
        manifest["networks"][0]["file"] = "../models/enhancer.onnx"

    refused("not in the folder", _edited(models, tmp_path / "escape", escape))
    refused("malformed", _edited(models, tmp_path / "bare", lambda m: m.pop("networks")))
    refused("no networks", _edited(models, tmp_path / "empty", lambda m: m["networks"].clear()))
    (tmp_path / "manifest.json").write_text("{")
    refused("not JSON", tmp_path)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1080p", (1920, 1080)), ("4K", (3840, 2160)), ("720p", (1280, 720)), ("854x480", (854, 480))],
)
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == FrameSize(*size)


@pytest.mark.parametrize("text", ["", "1080", "0x720", "99999x2", "720px", "-4x4", "4x"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        parse_size(text)
