"""Reports as JSON."""

from __future__ import annotations

import json

from edgecodec.encoder import EncodeProgress, EncodeReport, SceneReport, TrialReport
from edgecodec.encoder.report import within


def test_a_report_survives_json() -> None:
    trial = TrialReport("classical", "av1", "av1 10-bit", 42.25, 12345, 38.5)
    scene = SceneReport(
        start=0.0,
        frames=10,
        scene_class="slow",
        strategy="semantic_latent",
        codec=None,
        way="semantic_latent",
        bits=99,
        psnr=31.0,
        setting=7.0,
        enhanced_frames=0,
        adaptation="title+code",
        trials=(trial,),
        skipped=("a note",),
    )
    report = EncodeReport(
        file="o.ecv",
        bytes=5,
        frames=10,
        duration_s=0.4,
        bitrate_mbps=0.1,
        other_streams_mbps=0.0,
        psnr=31.0,
        ssim=0.9,
        vmaf=None,
        encode_fps=2.5,
        trial_encodes=3,
        title_bytes=2,
        target_met=None,
        note="",
        scenes=(scene,),
    )
    told = json.loads(json.dumps(report.to_dict()))
    assert told["target_met"] is None
    assert told["vmaf"] is None
    assert (told["trial_encodes"], told["note"]) == (3, "")
    assert told["title_bytes"] == 2
    assert told["scenes"][0]["adaptation"] == "title+code"
    assert told["scenes"][0]["codec"] is None
    assert told["scenes"][0]["scene_class"] == "slow"
    assert told["scenes"][0]["trials"][0] == {
        "strategy": "classical",
        "codec": "av1",
        "way": "av1 10-bit",
        "setting": 42.25,
        "bits": 12345,
        "psnr": 38.5,
    }
    assert told["scenes"][0]["skipped"] == ["a note"]


def test_the_progress_of_a_part_is_a_part_of_the_progress() -> None:
    told: list[EncodeProgress] = []
    first, last = within(told.append, 0.0, 0.5), within(told.append, 0.5, 1.0)
    for tell in (first, last):
        tell(EncodeProgress("trials", 0.5, "scene 1", 7.0))
    assert [each.done for each in told] == [0.25, 0.75]
    # How long the last part takes says nothing of the whole until it is the last one.
    assert [each.seconds_left for each in told] == [None, 7.0]
    assert told[0].detail == "scene 1"
