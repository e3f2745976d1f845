"""Which strategies the encoder's own choice takes: what is counted, and how it is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from edgecodec.encoder.api import EncodeOptions
from edgecodec.encoder.effort import Effort
from edgecodec.encoder.report import EncodeReport, SceneReport, TrialReport
from edgecodec.encoder.targets import BitrateTarget
from edgecodec.evaluation import latent_share
from edgecodec.evaluation.clips import load_clip
from edgecodec.evaluation.latent_share import share, table
from edgecodec.runtime.errors import EdgecodecError

WHY = "i_frame_interpolation: not tried where av1 is above 34 dB"


def scene(strategy: str, tried: tuple[str, ...] = (), skipped: tuple[str, ...] = ()) -> SceneReport:
    trials = tuple(TrialReport(each, None, each, 1.0, 100, 30.0) for each in tried)
    return SceneReport(
        0.0, 10, "film", strategy, None, strategy, 100, 30.0, 1.0, 0, "", trials, skipped
    )


def report(*scenes: SceneReport) -> EncodeReport:
    return EncodeReport(
        *("out.ecv", 1000, 10 * len(scenes), 1.0, 0.11, 0.0, 31.5, 0.9, None, 1.0, 3, 0),
        *(True, "", scenes),
    )


MIXED = report(
    scene("classical", ("classical", "semantic_latent"), (WHY,)),
    scene("semantic_latent", ("classical", "semantic_latent"), (WHY, "h264: not tried")),
    scene("classical", ("classical",)),
)


def test_scenes_are_counted_by_strategy_and_by_whether_latents_were_tried() -> None:
    made = share("a", 0.1, MIXED)
    assert made.scenes == {"classical": 2, "semantic_latent": 1}
    assert made.frames == {"classical": 20, "semantic_latent": 10}
    assert made.tried == 2
    assert made.reasons == {WHY: 2}
    assert (made.asked_mbps, made.mbps, made.psnr) == (0.1, 0.11, 31.5)


def test_the_table_sums_clips() -> None:
    shares = [share("a", 0.1, MIXED), share("b", 0.1, report(scene("semantic_latent")))]
    rows = table(shares).rows
    columns = table(shares).headings
    total = dict(zip(columns, rows[-1], strict=True))
    assert [row[0] for row in rows] == ["a", "b", "all"]
    assert total["classical"] == total["semantic_latent"] == "2"
    assert total["i_frame_interpolation"] == "0"
    assert (total["scenes"], total["latents tried"]) == ("4", "2")


def test_the_encoder_has_every_strategy_and_rates_share_trials(
    small_file: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    asked: list[EncodeOptions] = []
    sources: list[tuple[int, int, int]] = []

    def encode(source: Path, output: Path, options: EncodeOptions) -> EncodeReport:
        clip = load_clip(source, options.frames)
        sources.append((clip.format.width, clip.format.height, len(clip.frames)))
        asked.append(options)
        return MIXED

    monkeypatch.setattr(latent_share, "encode", encode)
    result = tmp_path / "shares.json"
    command = ["--data", str(small_file), "--tier", "nano", "--rates", "0.1", "1"]
    latent_share.main([*command, "--json", str(result), "--frames", "4"])
    printed = capsys.readouterr()
    latent_share.main([*command, "--start", "10", "--short-side", "90"])
    assert sources == [(320, 180, 4)] * 2 + [(160, 90, 2)] * 2
    assert [each.target for each in asked[:2]] == [BitrateTarget(1e5), BitrateTarget(1e6)]
    assert {each.cache for each in asked[:2]} == {asked[0].cache}
    assert asked[0].cache is not None
    for options in asked:
        assert (options.strategies, options.effort, options.tier) == ((), Effort.FAST, "nano")
    assert printed.out.count("| small.mkv | 2 | 0 | 1 | 0 | 0 | 3 | 2 | 0.110 | 31.50 |") == 2
    assert f"- {WHY} (2 scenes)\n" in printed.out
    assert "small.mkv, 0.1 Mb/s" in printed.err
    written = json.loads(result.read_text())
    assert [each["asked_mbps"] for each in written["shares"]] == [0.1, 1.0]


def test_a_clip_that_fails_is_left_out(small_file: Path, capsys, monkeypatch) -> None:
    def encode(source: Path, output: Path, options: EncodeOptions) -> EncodeReport:
        raise EdgecodecError("every way failed")

    monkeypatch.setattr(latent_share, "encode", encode)
    with pytest.raises(SystemExit) as left:
        latent_share.main(["--data", str(small_file), "--tier", "nano"])
    assert left.value.code == 3
    assert "left out: every way failed" in capsys.readouterr().err


def test_a_real_encode_is_counted(small_file: Path, capsys) -> None:
    command = ["--data", str(small_file), "--tier", "nano", "--rates", "0.02"]
    latent_share.main([*command, "--frames", "3", "--short-side", "64"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| small.mkv")]
    (row,) = rows
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert sum(map(int, cells[1:6])) == int(cells[6]) == 1


def test_rates_of_0_are_refused(small_file: Path, capsys) -> None:
    with pytest.raises(SystemExit) as refused:
        latent_share.main(["--data", str(small_file), "--tier", "nano", "--rates", "0"])
    assert refused.value.code == 2
    assert "rates above 0" in capsys.readouterr().err
