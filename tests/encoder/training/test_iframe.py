"""I-frames begin as a transform, learn from there, and stop and go on as other trainings do."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.decoder import IFrameDecoder, build, load
from edgecodec.encoder.analysis import DeepAnalysis, load_analysis, spread_brightness
from edgecodec.encoder.training import iframe
from edgecodec.encoder.training.checkpoint import Progress, read_weights, save_checkpoint
from edgecodec.encoder.training.fake_quant import int8_arithmetic
from edgecodec.encoder.training.iframe import (
    Recipe,
    Trainer,
    distortion,
    price_of_bits,
    some_in_full_range,
    spread_qualities,
    unlikeness,
)
from edgecodec.encoder.training.linear_start import start
from edgecodec.encoder.training.packs import PicturePack
from edgecodec.encoder.training.schedule import Deadline, Schedule
from edgecodec.runtime.errors import UnsupportedError
from edgecodec.runtime.prior import read_prior

SCHEDULE = Schedule(4, 1e-4, warmup_steps=1, quantized_share=0.5, block_steps=1)
NEVER = 1e9
RECIPE = Recipe(cells=8)


@pytest.fixture(scope="module")
def pictures(picture_pack: Path) -> torch.Tensor:
    return PicturePack(picture_pack).batch(np.random.default_rng(0), 24, 16)


@pytest.fixture(scope="module")
def started(pictures: torch.Tensor) -> Trainer:
    torch.manual_seed(0)
    trainer = Trainer("edge")
    start(trainer.decoder, trainer.analysis, pictures)
    return trainer


def mean_cost(trainer: Trainer, pictures: torch.Tensor, quality: int) -> float:
    with torch.inference_mode():
        return float(trainer.real_cost(pictures, torch.full((len(pictures),), quality)).mean())


def test_the_start_codes_pictures_and_better_ones_at_finer_qualities(
    started: Trainer, pictures: torch.Tensor
) -> None:
    errors = []
    for quality in (4, 34, 60):
        at = torch.full((len(pictures),), quality)
        with torch.inference_mode():
            step = started._steps[quality]
            symbols = (started.analysis(pictures, at) / step).round()
            output, _ = started.decoder((spread_brightness(symbols) * step * 4).round() / 4)
        errors.append(float(distortion(output, pictures).mean()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1 * float(
        distortion(pictures.mean(dim=(2, 3), keepdim=True), pictures).mean()
    )


def test_random_weights_are_far_behind(started: Trainer, pictures: torch.Tensor) -> None:
    torch.manual_seed(0)
    fresh = Trainer("edge")
    assert mean_cost(started, pictures, 30) < mean_cost(fresh, pictures, 30) - 1


def test_the_start_survives_int8(started: Trainer, pictures: torch.Tensor) -> None:
    whole = mean_cost(started, pictures, 20)
    with int8_arithmetic(started.decoder):
        assert mean_cost(started, pictures, 20) < whole + 0.2


def test_training_lowers_the_cost(started: Trainer, pictures: torch.Tensor) -> None:
    trainer = Trainer("edge")
    for name, network in trainer.networks.items():
        network.load_state_dict(started.networks[name].state_dict())
    parameters = [p for network in trainer.networks.values() for p in network.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2e-6)
    quality = spread_qualities(np.random.default_rng(0), len(pictures))
    for _ in range(12):
        optimizer.zero_grad()
        torch.manual_seed(0)
        trainer.loss(pictures, quality).backward()
        optimizer.step()
    with torch.inference_mode():
        before, after = (
            float(each.real_cost(pictures, quality).mean()) for each in (started, trainer)
        )
    assert after < before


def test_a_run_that_stops_goes_on_as_if_it_had_not(picture_pack: Path, tmp_path: Path) -> None:
    pack = PicturePack(picture_pack)

    def run(name: str, deadline: Deadline) -> tuple[dict[str, torch.Tensor], int]:
        path = tmp_path / name
        trainer, done = iframe.train(pack, path, "edge", SCHEDULE, 2, deadline, 1, RECIPE)
        return {
            f"{name}.{key}": value
            for name, network in trainer.networks.items()
            for key, value in network.state_dict().items()
        }, done.step

    whole, _ = run("whole.pt", Deadline(NEVER))
    steps = []
    for _ in range(4):
        looks = itertools.chain([0.0, 0.0], itertools.repeat(10.0))
        weights, step = run("stopped.pt", Deadline(5.0, looks.__next__))
        steps.append(step)
    assert steps == [1, 2, 3, 4]
    assert all(torch.equal(weights[key], whole[key]) for key in whole)


def test_the_prior_can_learn_alone_first(picture_pack: Path, tmp_path: Path) -> None:
    pack = PicturePack(picture_pack)
    schedule = Schedule(2, 1e-3, warmup_steps=0, quantized_share=0.0)

    def weights(steps: int) -> dict[str, torch.Tensor]:
        trainer, _ = iframe.train(
            pack,
            tmp_path / f"{steps}.pt",
            "edge",
            schedule,
            2,
            Deadline(NEVER),
            1,
            Recipe(cells=8, prior_steps=steps),
        )
        return {
            f"{name}.{key}": value.clone()
            for name, network in trainer.networks.items()
            for key, value in network.state_dict().items()
        }

    torch.manual_seed(1)
    alone, together = weights(2), weights(0)
    start_of = Trainer("edge")
    pictures = pack.batch(np.random.default_rng(1), min(len(pack), 2000), 8)
    start(start_of.decoder, start_of.analysis, pictures)
    bias = "analysis_i.transform.bias"
    assert torch.allclose(alone[bias], start_of.analysis.state_dict()["transform.bias"])
    assert not torch.equal(together[bias], alone[bias])
    assert any(
        not torch.equal(alone[key], together[key]) for key in alone if key.startswith("prior_i.")
    )


def test_in_int8_the_decoder_learns_alone(started: Trainer, pictures: torch.Tensor) -> None:
    started.decoder.zero_grad()
    with int8_arithmetic(started.decoder):
        started.decoder_loss(pictures[:2], torch.tensor([10, 50])).backward()
    moved = {
        name
        for name, network in started.networks.items()
        if any(p.grad is not None and p.grad.any() for p in network.parameters())
    }
    started.decoder.zero_grad()
    assert moved == {"iframe_decoder"}


def test_distortion_is_the_geometric_mean_of_planes() -> None:
    target = torch.full((2, 96, 4, 4), 0.5)
    output = target.clone()
    output[0, :64] += 10 / 255
    output[1, 64:80] += 10 / 255
    expected = torch.tensor([101**0.75, 101**0.125])
    assert torch.allclose(distortion(output, target), expected, rtol=1e-3)


def test_finer_qualities_pay_less_for_errors() -> None:
    prices = price_of_bits(torch.arange(64))
    assert (prices[1:] < prices[:-1]).all()
    assert prices[0] == pytest.approx(1600)
    assert prices[63] == pytest.approx(8)


def test_every_batch_has_all_qualities() -> None:
    for seed in range(5):
        drawn = spread_qualities(np.random.default_rng(seed), 8)
        assert [int(each) // 8 for each in drawn] == list(range(8))


def test_a_tier_without_a_deep_analysis_is_named() -> None:
    with pytest.raises(UnsupportedError, match="tier nano has no deep analysis"):
        Trainer("nano")


def test_the_command_trains_and_publishes(
    picture_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    light, analysis, priors = (tmp_path / name for name in ("light", "analysis", "priors"))
    for folder in (light, analysis, priors):
        folder.mkdir()
    arguments = [
        "--pack", picture_pack, "--checkpoint", tmp_path / "run.pt", "--steps", 1, "--batch", 2,
        "--cells", 8, "--publish", light, analysis, priors,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    iframe.main()
    loaded = load("iframe_decoder", "edge", light / "iframe_decoder-edge.safetensors")
    assert isinstance(loaded.module, IFrameDecoder)
    made = load_analysis("analysis_i", "edge", analysis / "analysis_i-edge.safetensors")
    assert isinstance(made, DeepAnalysis)
    assert read_prior(priors / "edge-i.npz").whole
    assert type(build("iframe_decoder", "edge")) is type(loaded.module)


def test_for_ssim_a_finished_decoder_stays_as_it_is(
    started: Trainer, picture_pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MS-SSIM has no five scales in smaller ones.
    pictures = np.load(picture_pack / "x.npy")[:2]
    np.save(tmp_path / "x.npy", np.tile(pictures, (1, 1, 2, 2)))
    begun, run = tmp_path / "begun.pt", tmp_path / "run.pt"
    optimizer = torch.optim.Adam(started.decoder.parameters())
    save_checkpoint(begun, started.networks, optimizer, Progress())
    arguments = [
        "--pack", tmp_path, "--checkpoint", run, "--steps", 2, "--batch", 1, "--tune", "ssim",
        "--start", begun, "--publish", tmp_path, tmp_path, tmp_path,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    iframe.main()
    before, after = read_weights(begun), read_weights(run)
    changed = {
        name
        for name, weights in after.items()
        if any(not torch.equal(value, before[name][key]) for key, value in weights.items())
    }
    assert changed == {"analysis_i", "prior_i"}
    assert isinstance(
        load_analysis("analysis_i", "edge", tmp_path / "analysis_i-edge-ssim.safetensors"),
        DeepAnalysis,
    )
    assert read_prior(tmp_path / "edge-s.npz").whole
    assert not (tmp_path / "iframe_decoder-edge.safetensors").exists()


@pytest.mark.parametrize("more", [[], ["--start", "run.pt", "--int8-share", "0.1"]])
def test_ssim_needs_a_decoder_that_is_finished(
    picture_pack: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
) -> None:
    arguments = ["--pack", str(picture_pack), "--checkpoint", "none.pt", "--tune", "ssim", *more]
    monkeypatch.setattr(sys, "argv", ["training", *arguments])
    with pytest.raises(SystemExit) as ended:
        iframe.main()
    assert ended.value.code == 2
    assert "--start" in capsys.readouterr().err


def test_unlike_luma_costs_and_like_luma_does_not() -> None:
    target = torch.rand(2, 96, 24, 24, generator=torch.Generator().manual_seed(1))
    output = target.clone()
    output[1, :64] = (0.5 * target[1, :64]) + 0.25
    at = torch.tensor([40, 40])
    same, duller = unlikeness(output, target, at).tolist()
    assert duller > 20 * same
    finer = unlikeness(output, target, torch.tensor([63, 63])).tolist()
    assert finer[1] > duller


def test_some_pictures_get_the_whole_range() -> None:
    frames = torch.full((400, 96, 2, 2), 128 / 255)
    frames[:, 0], frames[:, 1] = 16 / 255, 235 / 255
    made = some_in_full_range(frames, np.random.default_rng(1))
    stretched = made[:, 0, 0, 0] < 1e-6
    assert 80 < int(stretched.sum()) < 160
    assert torch.equal(made[~stretched], frames[~stretched])
    assert torch.allclose(made[stretched, 1], torch.ones(()))
    assert torch.allclose(made[:, 64:], frames[:, 64:])
    assert made.min() >= 0
    assert made.max() <= 1
