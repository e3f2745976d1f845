from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edgecodec.profiles import (
    Comparison,
    FrameSize,
    check_all_min_fps,
    compare_devices,
    count_models,
    diff_reports,
    load_device,
    load_devices,
    profile_models,
)
from edgecodec.profiles.device import Basis
from edgecodec.profiles.table import print_comparison, print_difference
from edgecodec.runtime.errors import GateError, ProfileFileError
from edgecodec.runtime.models import packaged_models
from rich.console import Console

NANO = packaged_models("nano")
SIZE = FrameSize(1280, 720)


def text_of(show: Callable[[Console], None]) -> str:
    out = io.StringIO()
    show(Console(file=out, width=220))
    return " ".join(out.getvalue().split())


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    devices = [device for device in load_devices() if device.basis is not Basis.MEASURED]
    return compare_devices(count_models(NANO, SIZE), devices, 30)


def test_every_device_has_a_line_and_the_fastest_is_first(comparison: Comparison) -> None:
    names = {row.device.name for row in comparison.rows}
    assert names == {d.name for d in load_devices() if d.basis is not Basis.MEASURED}
    times = [row.predicted.mid for row in comparison.rows]
    assert times == sorted(times)
    text = text_of(lambda console: print_comparison(comparison, console))
    assert all(name in text for name in names)


def test_a_line_says_what_the_devices_own_report_says(comparison: Comparison) -> None:
    report = profile_models(NANO, load_device("qcs6490"), SIZE)
    (row,) = (row for row in comparison.rows if row.device.name == "qcs6490")
    assert row.fps == pytest.approx(report.fps)
    assert row.verdict is report.verdict
    assert row.predicted.mid == max(n.predicted.mid for n in report.networks)


def test_devices_that_cannot_be_predicted_are_named(models: Path) -> None:
    devices = [load_device("qcs6490"), load_device("snapdragon-8gen3")]
    float_graphs = compare_devices(count_models(models, FrameSize(128, 64)), devices, 30)
    assert [row.device.name for row in float_graphs.rows] == ["snapdragon-8gen3"]
    assert "only for w8a8" in float_graphs.left_out["qcs6490"]
    text = text_of(lambda console: print_comparison(float_graphs, console))
    assert "qcs6490: " in text


def test_the_gate_names_all_that_are_too_slow(comparison: Comparison) -> None:
    check_all_min_fps(comparison, 0.5 * min(row.fps for row in comparison.rows))
    with pytest.raises(GateError, match=r"qcs6490 \(.*frames/s"):
        check_all_min_fps(comparison, 1e6)


def test_comparison_as_json(comparison: Comparison) -> None:
    data = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert len(data["devices"]) == len(comparison.rows)
    assert {"device", "basis", "predicted_ms", "fps", "verdict", "passes"} <= set(
        data["devices"][0]
    )


def written(folder: Path, name: str, **options: Any) -> Path:
    file = folder / name
    report = profile_models(NANO, load_device("snapdragon-8gen3"), **options)
    file.write_text(json.dumps(report.to_dict()))
    return file


def test_two_reports_are_compared_number_by_number(tmp_path: Path) -> None:
    small = written(tmp_path, "a.json", size=FrameSize(640, 360))
    large = written(tmp_path, "b.json", size=FrameSize(1280, 720))
    difference = diff_reports(small, large)
    rows = {row.what: row for row in difference.rows}
    ratio = rows["enhancer: MAC"].ratio
    assert ratio == pytest.approx(4)
    slower = rows["enhancer: predicted mid, ms"].ratio
    assert slower is not None
    assert slower > 1
    assert rows["enhancer: parameters"].ratio == 1
    assert any("640x360 in A, 1280x720 in B" in note for note in difference.notes)
    assert "device: snapdragon-8gen3 in both" in difference.notes
    text = text_of(lambda console: print_difference(difference, console))
    assert "x4.000" in text
    json.dumps(difference.to_dict(), allow_nan=False)


def test_a_report_differs_in_nothing_from_itself(tmp_path: Path) -> None:
    report = written(tmp_path, "a.json", size=FrameSize(640, 360))
    difference = diff_reports(report, report)
    assert {row.ratio for row in difference.rows} == {1}
    assert all("in both" in note or note.startswith("verdict") for note in difference.notes)


def test_networks_that_only_one_has_are_named(tmp_path: Path) -> None:
    whole = written(tmp_path, "a.json", size=FrameSize(640, 360))
    data = json.loads(whole.read_text())
    data["networks"] = [n for n in data["networks"] if n["name"] != "generator_b"]
    part = tmp_path / "part.json"
    part.write_text(json.dumps(data))
    assert "only in A: generator_b" in diff_reports(whole, part).notes


@pytest.mark.parametrize("text", ["{", "[]", '{"devices": []}', '{"networks": [], "format": 9}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ProfileFileError, match=r"x\.json"):
        diff_reports(file, file)
    with pytest.raises(ProfileFileError, match="cannot be read"):
        diff_reports(tmp_path / "absent.json", file)
