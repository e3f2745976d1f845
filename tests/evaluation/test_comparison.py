"""BD-rates, tables and files of an evaluation whose curves are known."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.evaluation.comparison import Comparison, compare, worst_of
from edgecodec.evaluation.evaluate import ClipResult, Evaluation, SystemResult
from edgecodec.evaluation.evaluation_results import (
    RunFacts,
    bd_rates_csv,
    evaluation_markdown,
    points_csv,
    write_evaluation,
)
from edgecodec.evaluation.evaluation_tables import (
    choice_table,
    clip_tables,
    every_clip_table,
    mean_tables,
    notes,
    percent_text,
    speed_table,
)
from edgecodec.evaluation.points import MeasuredPoint, SceneChoice
from edgecodec.evaluation.report_data import SystemKind
from edgecodec.evaluation.tables import Table

PSNRS = (30.0, 32.5, 35.0, 37.0, 39.5)


def point(rate: float, psnr: float, vmaf: float | None = None, fps: float = 10.0) -> MeasuredPoint:
    return MeasuredPoint(
        setting=f"psnr {psnr}",
        bytes=round(rate * 1e6),
        bitrate_mbps=rate,
        psnr=psnr,
        psnr_y=psnr,
        psnr_u=psnr,
        psnr_v=psnr,
        ssim=1 - 10 ** (-psnr / 20),
        vmaf=vmaf,
        vmaf_neg=None if vmaf is None else vmaf - 1,
        frames=60,
        encode_fps=fps,
        decode_fps=10 * fps,
        measured_at="2030-01-02T03:04:05+00:00",
        hardware="a machine",
    )


def system(
    name: str, scale: float, kind: SystemKind = SystemKind.ANCHOR, offset: float = 0.0
) -> SystemResult:
    """A curve whose log rate is a straight line over PSNR, `scale` times the usual rate."""
    points = tuple(
        point(scale * 2 ** ((psnr - 30) / 3), psnr + offset, vmaf=2 * psnr) for psnr in PSNRS
    )
    return SystemResult(name, kind, points)


def enhanced(base: SystemResult, name: str, y: float, u: float, v: float) -> SystemResult:
    """The same encodes with so many dB more of each plane; 3 dB are worth twice the rate."""
    points = tuple(
        replace(
            each,
            psnr=each.psnr + (6 * y + u + v) / 8,
            psnr_y=each.psnr_y + y,
            psnr_u=each.psnr_u + u,
            psnr_v=each.psnr_v + v,
        )
        for each in base.points
    )
    return SystemResult(name, SystemKind.EDGECODEC, points)


def clip(name: str, *systems: SystemResult) -> ClipResult:
    return ClipResult(name, "0" * 64, 1280, 720, 8, 60, 30.0, systems)


@pytest.fixture
def evaluation() -> Evaluation:
    ours = SystemKind.EDGECODEC
    auto = system("auto", 0.5, ours)
    chosen = (
        SceneChoice("hybrid_semantic", "av1", "av1 10-bit", "slow", 2, 40, "code"),
        SceneChoice("procedural", "", "", "static", 1, 20),
    )
    first = replace(auto.points[0], scenes=chosen, trial_encodes=8, kept_trials=2)
    auto = replace(auto, points=(first, *auto.points[1:]))
    other = system("auto", 0.8, ours)
    return Evaluation(
        (
            clip("one.mp4", system("x264", 1.5), system("x265", 1.0), auto),
            clip("two | 2.mp4", system("x264", 2.0), system("x265", 1.0), other),
        ),
        ("three.mp4: damaged",),
    )


@pytest.fixture
def facts() -> RunFacts:
    return RunFacts("a <run>", "2030-01-02T03:04:05+00:00", "edgecodec evaluate x", (("of", "it"),))


def percents(comparison: Comparison, metric: str) -> dict[tuple[str, str, str], float]:
    return {
        (each.clip, each.test, each.reference): each.percent
        for each in comparison.results
        if each.metric == metric and each.percent is not None
    }


@pytest.mark.parametrize(
    "metric", ["psnr", "psnr_y", "psnr_u", "psnr_v", "chroma", "ssim", "vmaf", "vmaf_neg"]
)
def test_ours_stand_against_every_codec_and_these_against_x265(
    evaluation: Evaluation, metric: str
) -> None:
    found = percents(compare(evaluation), metric)
    assert found == pytest.approx(
        {
            ("one.mp4", "auto", "x264"): 100 * (0.5 / 1.5 - 1),
            ("one.mp4", "auto", "x265"): -50.0,
            ("one.mp4", "x264", "x265"): 50.0,
            ("two | 2.mp4", "auto", "x264"): -60.0,
            ("two | 2.mp4", "auto", "x265"): -20.0,
            ("two | 2.mp4", "x264", "x265"): 100.0,
        },
        abs=1e-6,
    )


def test_one_reference_may_be_named(evaluation: Evaluation) -> None:
    comparison = compare(evaluation, "auto")
    assert {(each.test, each.reference) for each in comparison.results} == {
        ("x264", "auto"),
        ("x265", "auto"),
    }
    assert percents(comparison, "psnr")["one.mp4", "x265", "auto"] == pytest.approx(100.0)
    assert comparison.only_reference() == "auto"
    assert compare(evaluation).only_reference() is None


def test_each_plane_has_its_own_figure() -> None:
    base = system("base", 1.0, SystemKind.EDGECODEC)
    ours = enhanced(base, "base + network", y=0.05, u=0.3, v=0.1)
    comparison = compare(Evaluation((clip("one", base, ours),)), "base")
    found = {metric: percent for metric, percent in _of(comparison).items() if "vmaf" not in metric}

    def saved(db: float) -> float:
        return 100 * (2 ** (-db / 3) - 1)

    assert found == pytest.approx(
        {
            "psnr": saved((6 * 0.05 + 0.3 + 0.1) / 8),
            "psnr_y": saved(0.05),
            "psnr_u": saved(0.3),
            "psnr_v": saved(0.1),
            "chroma": saved(0.2),
            "ssim": 0.0,
        },
        abs=1e-6,
    )


def _of(comparison: Comparison) -> dict[str, float | None]:
    return {each.metric: each.percent for each in comparison.results}


def test_one_reference_has_its_metrics_side_by_side(facts: RunFacts) -> None:
    base = system("base", 1.0, SystemKind.EDGECODEC)
    ours = enhanced(base, "base + network", y=0.05, u=0.3, v=0.1)
    evaluation = Evaluation((clip("one", base, ours), clip("two", base, ours)))
    comparison = compare(evaluation, "base")
    shown = ("PSNR (6Y+U+V)/8", "PSNR Y", "PSNR chroma (U+V)/2", "SSIM (dB)", "VMAF")
    figures = ("-2.00 %", "-1.15 %", "-4.52 %", "+0.00 %", "+0.00 %")
    (mean,) = mean_tables(comparison)
    assert mean.title == "Mean BD-rate against base"
    assert mean.headings == ("mean BD-rate", *shown)
    assert mean.rows == (("base + network", *figures),)
    (each,) = every_clip_table(evaluation, comparison)
    assert each.title == "base + network: BD-rate against base"
    assert each.headings == ("clip", *shown)
    assert each.rows == (("one", *figures), ("two", *figures))
    text = evaluation_markdown(evaluation, comparison, facts)
    assert "### Mean BD-rate against base" in text
    assert "| two | -2.00 % | -1.15 % | -4.52 % |" in text


def test_means_are_over_the_clips_that_have_a_figure(evaluation: Evaluation) -> None:
    means = {(each.metric, each.test, each.reference): each for each in compare(evaluation).means}
    mean = means["psnr", "auto", "x265"]
    assert mean.percent == pytest.approx(-35.0, abs=1e-6)
    assert (mean.clips, mean.of, mean.is_covered) == (2, 2, True)

    short = replace(
        evaluation.clips[1].systems[2], points=evaluation.clips[1].systems[2].points[:4]
    )
    second = replace(evaluation.clips[1], systems=(*evaluation.clips[1].systems[:2], short))
    lacking = compare(replace(evaluation, clips=(evaluation.clips[0], second)))
    means = {(each.metric, each.test, each.reference): each for each in lacking.means}
    mean = means["psnr", "auto", "x265"]
    assert mean.percent == pytest.approx(-50.0, abs=1e-6)
    assert (mean.clips, mean.of) == (1, 2)
    (result,) = [
        each
        for each in lacking.of_clip("two | 2.mp4", "psnr")
        if (each.test, each.reference) == ("auto", "x265")
    ]
    assert result.percent is None
    assert "4 points; at least 5" in result.note
    assert "-50.00 % (1 of 2 clips)" in mean_tables(lacking)[0].rows[0]


def test_points_that_another_beats_are_left_out_and_told() -> None:
    auto = system("auto", 0.5, SystemKind.EDGECODEC)
    worse = point(auto.points[2].bitrate_mbps * 1.1, PSNRS[2] - 1, vmaf=60.0)
    beaten = replace(auto, points=(*auto.points, worse))
    comparison = compare(Evaluation((clip("one", system("x265", 1.0), beaten),)))
    (result,) = comparison.of_clip("one", "psnr")
    assert result.percent == pytest.approx(-50.0, abs=1e-6)
    assert result.note == "auto: 1 of 6 points beaten"


def test_curves_that_hardly_overlap_are_marked(facts: RunFacts) -> None:
    auto = system("auto", 0.5, SystemKind.EDGECODEC, offset=5.0)
    evaluation = Evaluation((clip("one", system("x265", 1.0), auto),))
    comparison = compare(evaluation)
    (result,) = comparison.of_clip("one", "psnr")
    assert not result.is_covered
    assert result.overlap == pytest.approx(4.5 / 9.5)
    assert not comparison.means[0].is_covered
    assert mean_tables(comparison)[0].rows[0][1].endswith("% *")
    assert "share only 47 % of the range" in evaluation_markdown(evaluation, comparison, facts)
    apart = system("auto", 0.5, SystemKind.EDGECODEC, offset=50.0)
    nothing = compare(Evaluation((clip("one", system("x265", 1.0), apart),)))
    assert nothing.results[0].percent is None
    assert "share no quality" in nothing.results[0].note
    assert mean_tables(nothing)[0].rows[0][1] == "n/a"


def test_a_metric_that_was_not_measured_everywhere_is_not_compared() -> None:
    auto = system("auto", 0.5, SystemKind.EDGECODEC)
    bare = replace(auto, points=tuple(replace(p, vmaf=None, vmaf_neg=None) for p in auto.points))
    comparison = compare(Evaluation((clip("one", system("x265", 1.0), bare),)))
    names = [metric.name for metric in comparison.metrics()]
    assert names == ["psnr", "psnr_y", "psnr_u", "psnr_v", "chroma", "ssim"]
    shown = [metric.name for metric in comparison.table_metrics()]
    assert shown == ["psnr", "psnr_y", "chroma", "ssim"]


def test_the_worst_reference_is_found(evaluation: Evaluation) -> None:
    comparison = compare(evaluation)
    worst = worst_of(comparison.of_clip("two | 2.mp4", "psnr"), "auto")
    assert worst is not None
    assert (worst.reference, worst.percent) == ("x265", pytest.approx(-20.0, abs=1e-6))
    assert worst_of(comparison.results, "nobody") is None


def test_tables_hold_the_figures(evaluation: Evaluation) -> None:
    comparison = compare(evaluation)
    mean = mean_tables(comparison)[0]
    assert mean.headings[1:] == ("against x264", "against x265")
    assert mean.rows == (("auto", "-63.33 %", "-35.00 %"), ("x264", "", "+75.00 %"))
    ours, anchors = clip_tables(evaluation, comparison, comparison.metrics()[0])
    assert ours.headings == ("clip", "against x264", "against x265", "against the best of them")
    assert ours.rows[1] == ("two | 2.mp4", "-60.00 %", "-20.00 %", "-20.00 % (x265)")
    assert anchors.rows == (("one.mp4", "+50.00 %"), ("two | 2.mp4", "+100.00 %"))
    choices = choice_table(evaluation)
    assert choices is not None
    assert choices.rows == (
        ("auto", "hybrid_semantic", "av1 10-bit", "code", "slow", "2", "67 %"),
        ("auto", "procedural", "–", "–", "static", "1", "33 %"),  # noqa: RUF001
    )
    speeds = {row[0]: row[1:] for row in speed_table(evaluation).rows}
    assert speeds["auto"] == ("10", "10.00", "100.0", "8.0", "25 %")
    assert speeds["x265"] == ("10", "10.00", "100.0", "–", "–")  # noqa: RUF001
    assert notes(evaluation, comparison) == ("three.mp4: damaged",)


def test_mean_speed_is_all_frames_over_all_time() -> None:
    members = (point(1.0, 30.0, fps=10.0), point(2.0, 33.0, fps=30.0))
    evaluation = Evaluation((clip("one", SystemResult("x265", SystemKind.ANCHOR, members)),))
    assert speed_table(evaluation).rows[0][2] == "15.00"
    assert choice_table(evaluation) is None


def test_percentages_keep_their_sign() -> None:
    assert percent_text(1.234, is_covered=True) == "+1.23 %"
    assert percent_text(-0.001, is_covered=True) == "+0.00 %"
    assert percent_text(None, is_covered=False) == "n/a"


def test_csv_files_are_complete(evaluation: Evaluation) -> None:
    points = list(csv.DictReader(io.StringIO(points_csv(evaluation))))
    assert len(points) == 30
    assert points[0]["clip"] == "one.mp4"
    assert float(points[0]["psnr"]) == 30.0
    rates = list(csv.DictReader(io.StringIO(bd_rates_csv(compare(evaluation)))))
    (mean,) = [
        row
        for row in rates
        if (row["clip"], row["metric"], row["test"], row["reference"])
        == ("mean", "psnr", "auto", "x265")
    ]
    assert float(mean["percent"]) == pytest.approx(-35.0)
    assert len(rates) == 8 * 3 * 3


def test_all_files_are_written(evaluation: Evaluation, facts: RunFacts, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "results"
    write_evaluation(folder, evaluation, compare(evaluation), facts)
    assert {path.name for path in folder.iterdir()} == {
        *("results.json", "points.csv", "bd_rates.csv", "results.md", "report.html", "curves"),
    }
    curves = sorted(folder.glob("curves/*.png"))
    assert len(curves) == 2
    for path in curves:
        assert path.read_bytes()[:4] == b"\x89PNG"
        assert f"](curves/{path.name})" in (folder / "results.md").read_text(encoding="utf-8")
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert results["format"] == 1
    assert results["failures"] == ["three.mp4: damaged"]
    first = results["clips"][0]
    assert first["systems"][2]["points"][0]["scenes"][0]["way"] == "av1 10-bit"
    assert first["seconds"] == 2.0
    assert len(results["bd_rates"]) == 8 * 6
    text = (folder / "results.md").read_text(encoding="utf-8")
    assert "| two \\| 2.mp4 | -60.00 % | -20.00 % | -20.00 % (x265) |" in text
    assert "edgecodec evaluate x" in text
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "a &lt;run&gt;" in page
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert "-20.00 % (x265)" in page


def test_a_table_in_its_forms() -> None:
    table = Table("t", ("a", "b"), (("x|y", "<1>"),))
    assert table.to_markdown() == "| a | b |\n| -- | --: |\n| x\\|y | <1> |\n"
    assert '<td>x|y</td><td class="n">&lt;1&gt;</td>' in table.to_html()
    assert table.to_rich().row_count == 1
