"""Reports as JSON."""

from __future__ import annotations

import json

from edgecodec.encoder import EncodeReport, SceneReport, TrialReport


def test_a_report_survives_json() -> None:
    trial = TrialReport("classical", "av1", 42, 12345, 38.5)
    scene = SceneReport(0.0, 10, "semantic_latent", None, 99, 31.0, 7, 0, (trial,), ("a note",))
    report = EncodeReport("o.ecv", 5, 10, 0.4, 0.1, 0.0, 31.0, 0.9, 2.5, None, (scene,))
    told = json.loads(json.dumps(report.to_dict()))
    assert told["target_met"] is None
    assert told["scenes"][0]["codec"] is None
    assert told["scenes"][0]["trials"][0] == {
        "strategy": "classical",
        "codec": "av1",
        "setting": 42,
        "bits": 12345,
        "psnr": 38.5,
    }
    assert told["scenes"][0]["skipped"] == ["a note"]
