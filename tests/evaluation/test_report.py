from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from edgecodec.evaluation.report import NOT_MEASURED, render_report, write_report
from edgecodec.evaluation.report_data import (
    Curve,
    CurvePoint,
    DeviceProfile,
    MeasuredLatency,
    NetworkRow,
    PredictedLatency,
    ReportData,
    SceneRow,
    SystemKind,
    SystemRow,
)
from edgecodec.evaluation.report_figure import LIGHT, rate_figure
from edgecodec.evaluation.report_images import CROP_HEIGHT, CROP_WIDTH, busiest_crop, compare_frame
from edgecodec.runtime.frames import ColorInfo, PictureFormat, Planes

VOID = {"meta", "img", "source", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Checks the nesting of tags and gathers text, addresses and pictures."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open_tags: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        names = {"src", "srcset", "href", "data", "action"}
        self.addresses += [value or "" for name, value in attrs if name in names]
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open_tags and self.open_tags[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


@pytest.fixture(scope="module")
def data(source: tuple[Planes, ...], blurred: tuple[Planes, ...]) -> ReportData:
    comparison = compare_frame(
        {"source": source[3], "edgecodec": blurred[3]},
        PictureFormat(320, 180),
        ColorInfo(),
        3,
        0.12,
    )
    return ReportData(
        title="Big Buck Bunny <through> edgecodec",
        summary="1280x720, 25 fps & 132 frames",
        facts=(("hardware", "two cores <script>alert(1)</script>"), ("numpy", "2.4.6")),
        commands=("edgecodec encode bbb.mp4 -o bbb.ecv --bitrate 0.5M",),
        systems=(
            SystemRow(
                "edgecodec auto",
                SystemKind.EDGECODEC,
                "nano",
                330123,
                0.5002,
                41.987,
                0.97961,
                89.793,
                87.521,
                3.21,
                61.43,
            ),
            SystemRow(
                "x265 medium",
                SystemKind.ANCHOR,
                "crf 30",
                348883,
                0.5286,
                40.657,
                0.97293,
                86.797,
                84.817,
                18.71,
                108.65,
            ),
            SystemRow("semantic_latent", SystemKind.FORCED, "forced", 99111, 0.1501, 27.15, 0.8123),
        ),
        curves=(
            Curve(
                "x265 medium",
                SystemKind.ANCHOR,
                (CurvePoint(0.4523, 39.9, 0.9701), CurvePoint(0.5286, 40.657, 0.97293)),
            ),
        ),
        scenes=(SceneRow(0, 60, "classical", "av1", 123456), SceneRow(60, 72, "<b>", "", 654321)),
        networks=(NetworkRow("enhancer", "enhancer.onnx", 0.0123, 91234, "100 % CPU"),),
        device=DeviceProfile(
            device="snapdragon-40tops",
            networks=({"name": "enhancer", "macs_per_pixel": 4812.5, "parameters": 80216},),
            tops_per_frame=0.00887,
            predicted=PredictedLatency(1.25, 2.5, 5.75, "fitted"),
            measured=MeasuredLatency(21.51, 22.62, 25.73, "CPUExecutionProvider"),
            fps=400.0,
            passes=True,
        ),
        comparisons=(comparison,),
        notes=("a curve point was left out: no time",),
    )


def test_the_page_is_well_formed_and_shows_every_number(data: ReportData) -> None:
    page = Page(render_report(data))
    assert page.open_tags == []
    for shown in (
        *("330123", "0.500", "41.99", "0.9796", "89.79", "87.52", "3.2", "61.4"),
        *("348883", "0.529", "40.66", "0.9729", "86.80", "84.82", "18.7", "108.7"),
        *("99111", "0.150", "27.15", "0.8123"),
        *("123456", "654321", "60", "72", "classical", "av1"),
        *("enhancer.onnx", "0.012", "91234", "100 % CPU"),
        *("snapdragon-40tops", "0.0089", "1.25", "2.50", "5.75", "fitted", "400.0"),
        *("21.51", "22.62", "25.73", "CPUExecutionProvider", "4812.5", "80216"),
        *("numpy", "2.4.6", "--bitrate 0.5M", "a curve point was left out: no time"),
        *("Frame 3 (0.12 s)", "source"),
    ):
        assert shown in page.text, shown


def test_nothing_is_fetched_from_outside_and_nothing_runs(data: ReportData) -> None:
    html = render_report(data)
    page = Page(html)
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in html
    assert "url(" not in html
    assert not re.search(r"https?:", html)


def test_texts_are_escaped(data: ReportData) -> None:
    page = Page(render_report(data))
    assert "alert(1)" in page.text
    assert "Big Buck Bunny <through> edgecodec" in page.text
    assert "<b>" in page.text


def test_pictures_are_real_pngs(data: ReportData) -> None:
    page = Page(render_report(data))
    sizes = []
    for address in page.addresses:
        png = np.frombuffer(base64.b64decode(address.partition(",")[2], validate=True), np.uint8)
        picture = cv2.imdecode(png, cv2.IMREAD_COLOR)
        assert picture is not None
        sizes.append(picture.shape[:2])
    # Two figures, then the whole frames and the crops of two systems.
    assert len(sizes) == 6
    assert sizes[2:4] == [(180, 320)] * 2
    assert sizes[4:] == [(180, 320)] * 2


def test_rates_are_compared_at_equal_rate_where_the_curve_reaches(data: ReportData) -> None:
    share = np.log(0.5002 / 0.4523) / np.log(0.5286 / 0.4523)
    expected = 41.987 - (39.9 + share * (40.657 - 39.9))
    assert f"{expected:+.2f} dB" in Page(render_report(data)).text
    beyond = replace(data, curves=())
    text = Page(render_report(beyond)).text
    assert f"{41.987 - 40.657:+.2f} dB" in text
    assert f"{0.5002 / 0.5286:.3f}" in text


def test_a_report_may_hold_little() -> None:
    data = ReportData("empty", "", (), (), ())
    page = Page(render_report(data))
    assert page.open_tags == []
    row = SystemRow("x", SystemKind.FORCED, "", 1, 0.1, 30.0, 0.9)
    assert NOT_MEASURED in Page(render_report(replace(data, systems=(row,)))).text


def test_a_report_is_written_whole_or_not_at_all(
    tmp_path: Path, data: ReportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new" / "report.html"
    write_report(path, data)
    before = path.read_text(encoding="utf-8")
    assert before.startswith("<!doctype html>")

    def broken(data: ReportData) -> str:
        raise OSError("no space left")

    monkeypatch.setattr("edgecodec.evaluation.report.render_report", broken)
    with pytest.raises(OSError, match="no space"):
        write_report(path, data)
    assert path.read_text(encoding="utf-8") == before
    assert list(path.parent.iterdir()) == [path]


def test_the_crop_lies_where_the_picture_is_busy() -> None:
    luma = np.full((720, 1280), 90, np.uint8)
    luma[300:500, 700:1000] = np.random.default_rng(1).integers(0, 255, (200, 300), dtype=np.uint8)
    x, y = busiest_crop(luma)
    assert 700 - (CROP_WIDTH - 300) - 2 <= x <= 700
    assert 300 - (CROP_HEIGHT - 200) - 2 <= y <= 300
    assert busiest_crop(luma[:100, :200]) == (0, 0)


def test_a_system_far_below_does_not_flatten_the_picture(data: ReportData) -> None:
    curves = (
        Curve("x265 medium", SystemKind.ANCHOR, (CurvePoint(0.4, 39.0, 0.97),)),
        Curve("edgecodec auto", SystemKind.EDGECODEC, (CurvePoint(0.6, 42.0, 0.98),)),
    )
    ours = SystemRow("edgecodec auto", SystemKind.EDGECODEC, "", 1, 0.5, 41.0, 0.975)
    low = SystemRow("semantic_latent", SystemKind.FORCED, "", 1, 0.5, 36.0, 0.96)
    lower = replace(low, psnr=20.0, ssim=0.7)

    def colored_rows(row: SystemRow) -> tuple[int, int]:
        """First and last row of the PSNR panel that shows the colour of our curve."""
        png = np.frombuffer(rate_figure(curves, (ours, row), LIGHT), np.uint8)
        panel = cv2.imdecode(png, cv2.IMREAD_COLOR)[:400, :600]
        color = [int(LIGHT.ours[i : i + 2], 16) for i in (5, 3, 1)]
        rows = np.nonzero((panel == color).all(axis=2).any(axis=1))[0]
        return int(rows[0]), int(rows[-1])

    # One sits on the floor that the other defines: the rest stays where it was.
    assert np.allclose(colored_rows(low), colored_rows(lower), atol=3)
