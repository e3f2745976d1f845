"""A checkpoint of what is published is what is published."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from edgecodec.decoder import load
from edgecodec.decoder import weights_path as light_path
from edgecodec.encoder.analysis_weights import weights_path
from edgecodec.encoder.training import gather, iframe
from edgecodec.encoder.training.checkpoint import load_checkpoint
from edgecodec.encoder.training.grow import grow
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.prior import Prior, packaged_priors

LIGHT = light_path("iframe_decoder", "edge").parent
ANALYSIS = weights_path("analysis_i", "edge").parent
PRIORS = Path(iframe.__file__).parents[2] / "runtime" / "priors"


def test_training_goes_on_with_what_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run.pt"
    arguments = [str(each) for each in (LIGHT, ANALYSIS, PRIORS, run)]
    monkeypatch.setattr("sys.argv", ["gather", *arguments])
    gather.main()
    assert "run.pt" in capsys.readouterr().out
    trainer = iframe.Trainer("edge")
    assert load_checkpoint(run, trainer.networks, None).step == 0
    started = iframe.Trainer("edge")
    grow(started.decoder, started.analysis, started.prior, run, torch.zeros(1, 96, 8, 8))
    published = load("iframe_decoder", "edge").module.state_dict()
    for made in (trainer, started):
        for name, weight in made.decoder.state_dict().items():
            assert torch.equal(weight, published[name]), name
        prior = Prior.from_arrays(made.prior.arrays())
        assert prior.prior_id == packaged_priors()["edge-i"].prior_id


def test_files_that_are_missing_or_another_tiers_are_named(tmp_path: Path) -> None:
    run = tmp_path / "run.pt"
    with pytest.raises(ModelError, match="iframe_decoder-edge"):
        gather.gather(tmp_path, ANALYSIS, PRIORS, "edge", run)
    with pytest.raises(ModelError, match="edge-i"):
        gather.gather(LIGHT, ANALYSIS, tmp_path, "edge", run)
    (tmp_path / "iframe_decoder-edge.safetensors").write_bytes(
        light_path("iframe_decoder", "nano").read_bytes()
    )
    with pytest.raises(ModelError, match="tier edge"):
        gather.gather(tmp_path, ANALYSIS, PRIORS, "edge", run)
    assert not run.exists()
