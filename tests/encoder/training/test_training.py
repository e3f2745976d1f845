"""A few steps of both trainings: losses are finite, and a run that stops goes on where it was."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.decoder import Enhancer, load, model_id, network_names
from edgecodec.encoder.analysis import analysis_names, load_analysis
from edgecodec.encoder.training import enhancer, latent
from edgecodec.encoder.training.checkpoint import Progress, load_checkpoint
from edgecodec.encoder.training.packs import SequencePack, TripletBatch, TripletPack
from edgecodec.encoder.training.publish import publish
from edgecodec.encoder.training.schedule import Deadline, Schedule
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.latents import dequantize as dequantize_on_device
from edgecodec.runtime.latents import step_size

SCHEDULE = Schedule(6, 1e-3, warmup_steps=2, quantized_share=0.4, block_steps=2)
NEVER = 1e9
Run = Callable[[Path, Deadline], tuple[dict[str, torch.Tensor], Progress]]


@pytest.fixture(params=["enhancer", "latent"])
def run(request: pytest.FixtureRequest, triplet_pack: Path, sequence_pack: Path) -> Run:
    """Trains with a checkpoint and a deadline; gives all weights and how far it came."""

    def train_enhancer(checkpoint: Path, deadline: Deadline):
        pack = TripletPack(triplet_pack)
        network, done = enhancer.train(pack, checkpoint, "nano", SCHEDULE, 3, deadline, seed=1)
        return dict(network.state_dict()), done

    def train_latent(checkpoint: Path, deadline: Deadline):
        pack = SequencePack(sequence_pack)
        trainer, done = latent.train(pack, checkpoint, "nano", SCHEDULE, 2, deadline, seed=1)
        return {
            f"{name}.{key}": value
            for name, network in trainer.networks.items()
            for key, value in network.state_dict().items()
        }, done

    return {"enhancer": train_enhancer, "latent": train_latent}[request.param]


def test_a_run_ends_with_a_finite_loss_and_a_checkpoint(run: Run, tmp_path: Path) -> None:
    weights, done = run(tmp_path / "run.pt", Deadline(NEVER))
    assert done.step == 6
    ((step, loss, rate),) = done.curve
    assert (step, rate) == (6, SCHEDULE.rate(6))
    assert math.isfinite(loss)
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]
    # A finished run has nothing left to do.
    again, once_more = run(tmp_path / "run.pt", Deadline(NEVER))
    assert once_more == done
    assert all(torch.equal(again[key], weights[key]) for key in weights)


def test_a_run_that_stops_goes_on_as_if_it_had_not(run: Run, tmp_path: Path) -> None:
    whole, _ = run(tmp_path / "whole.pt", Deadline(NEVER))
    checkpoint = tmp_path / "stopped.pt"
    steps = []
    for _ in range(3):
        # The clock passes its end in the first block.
        looks = itertools.chain([0.0, 0.0], itertools.repeat(10.0))
        weights, done = run(checkpoint, Deadline(5.0, looks.__next__))
        steps.append(done.step)
    assert steps == [2, 4, 6]
    assert all(torch.equal(weights[key], whole[key]) for key in whole)


@pytest.mark.parametrize("after", range(3, 12))
def test_whenever_time_runs_out_nothing_is_lost(
    triplet_pack: Path, tmp_path: Path, after: int
) -> None:
    """The deadline may pass between any two looks at the clock."""
    looks = itertools.count()
    deadline = Deadline(1.0, lambda: 0.0 if next(looks) < after else 2.0)
    pack = TripletPack(triplet_pack)
    network, done = enhancer.train(pack, tmp_path / "run.pt", "nano", SCHEDULE, 2, deadline, seed=1)
    fresh = Enhancer(64, 2)
    kept = load_checkpoint(tmp_path / "run.pt", {"enhancer": fresh}, None)
    assert kept.step == done.step > 0
    assert torch.equal(fresh.stem.weight, network.stem.weight)


def test_no_time_at_all_trains_nothing(run: Run, tmp_path: Path) -> None:
    _, done = run(tmp_path / "run.pt", Deadline(0.0))
    assert done == Progress()
    assert list(tmp_path.iterdir()) == []


def drawn(base: torch.Tensor, target: torch.Tensor) -> TripletBatch:
    """A batch of which only what the loss reads matters."""
    nothing = torch.zeros(len(base), 1)
    distortion = enhancer.plane_errors(base, target)
    return TripletBatch(nothing, nothing, base, target, distortion)


def test_relative_loss_is_one_without_a_gain() -> None:
    base, target = (
        torch.from_numpy(np.random.default_rng(n).random((2, 24, 4, 4))).float() for n in (1, 2)
    )
    batch = drawn(base, target)
    assert float(enhancer.relative_loss(base, batch)) == pytest.approx(1.0)
    assert float(enhancer.relative_loss(target, batch)) < 0.01
    halfway = (base + target) / 2
    assert float(enhancer.relative_loss(halfway, batch)) == pytest.approx(0.25, abs=0.01)


def test_errors_are_weighted_six_to_one_to_one() -> None:
    target = torch.full((1, 24, 4, 4), 0.5)
    batch = drawn(target + 0.2, target)
    parts = []
    for start, end in ((0, 16), (16, 20), (20, 24)):
        output = target.clone()
        output[:, start:end] += 0.2
        parts.append(float(enhancer.relative_loss(output, batch)))
    assert parts == pytest.approx([0.75, 0.125, 0.125], abs=1e-3)
    frame = torch.full((1, 96, 2, 2), 0.5)
    moved = []
    for start, end in ((0, 64), (64, 80), (80, 96)):
        output = frame.clone()
        output[:, start:end] += 2 / 255
        moved.append(float(latent.distortion(output, frame)))
    assert moved == pytest.approx([3.0, 0.5, 0.5], rel=1e-3)


def test_a_sample_counts_by_its_share_of_its_encodes_distortion() -> None:
    """Ten times the error of a crop weighs a hundred times as much: the frame's PSNR says so."""
    target = torch.full((2, 24, 4, 4), 0.5)
    base = target + torch.tensor([0.1, 0.01])[:, None, None, None]
    batch = replace(drawn(base, target), distortion=torch.full((2, 3), 100.0))
    gains = []
    for mended in range(2):
        output = base.clone()
        output[mended] = target[mended]
        gains.append(1 - float(enhancer.relative_loss(output, batch)))
    assert gains[0] == pytest.approx(100 * gains[1], rel=0.1)


@pytest.mark.parametrize("frame_channels", [6, 24])
def test_a_prepared_network_adds_nothing_and_sees_no_brightness(frame_channels: int) -> None:
    torch.manual_seed(0)
    network = Enhancer(64, 2, frame_channels)
    enhancer.prepare(network)
    frame, condition = torch.rand(1, frame_channels, 4, 4), torch.rand(1, 2, 4, 4)
    gain, bias = torch.ones(1, 64, 1, 1), torch.zeros(1, 64, 1, 1)
    assert not network(frame, frame, frame, condition, gain, bias).any()
    if frame_channels == 6:
        return  # its chroma planes are a sample a cell
    flat = [
        network.stem(
            torch.cat([*(torch.full((1, 24, 1, 1), level),) * 3, torch.zeros(1, 2, 1, 1)], 1)
        )
        for level in (0.2, 0.8)
    ]
    assert torch.allclose(*flat, atol=1e-4)


def test_residuals_are_quarters_of_a_level_that_a_device_can_hold() -> None:
    levels = torch.tensor([-300.0, -32.0, -3.4, 0.0, 0.6, 31.75, 300.0])
    held = enhancer.quantize_residual(levels / 255.0) * 255.0
    assert held.tolist() == pytest.approx([-32, -32, -3.5, 0, 0.5, 31.75, 31.75], abs=1e-3)


@pytest.mark.parametrize("quality", [0, 17, 40, 63])
def test_training_dequantises_as_the_device_does(quality: int) -> None:
    symbols = np.arange(-127, 128).astype(np.int8)[None, None]
    on_device = (dequantize_on_device(symbols, quality)[0, 0, 0].astype(float) - 128) / 4
    trained = latent.dequantize(torch.from_numpy(symbols).float(), step_size(quality))[0, 0]
    # Halves go to even here and away from zero there.
    apart = np.abs(trained.numpy() - on_device)
    assert apart.max() <= 0.25
    assert (apart > 0).mean() < 0.3
    exact = symbols.ravel() * step_size(quality)
    within = np.abs(exact) < 31
    assert np.abs(trained.numpy() - exact)[within].max() <= 0.126


def test_bits_are_dearer_where_the_quality_is_lower() -> None:
    prices = [latent.price_of_bits(quality) for quality in range(64)]
    assert prices == sorted(prices, reverse=True)
    assert prices[63] > 0


def test_every_task_trains_what_it_should(sequence_pack: Path) -> None:
    torch.manual_seed(0)
    x = SequencePack(sequence_pack).batch(np.random.default_rng(0), 2)
    used = {
        "i": {"iframe_decoder", "analysis_i"},
        "p": {"iframe_decoder", "analysis_i", "generator_p", "analysis_p"},
        "b": {"iframe_decoder", "analysis_i", "generator_b", "analysis_b"},
    }
    for task, expected in used.items():
        trainer = latent.Trainer("nano")
        loss = trainer.loss(task, x, 40, 4)
        assert torch.isfinite(loss)
        loss.backward()
        moved = {
            name
            for name, network in trainer.networks.items()
            if any(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
        }
        assert moved == expected


def test_published_weights_load_and_are_named_by_their_bytes(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = Enhancer(64, 2)
    path = tmp_path / "enhancer-nano.safetensors"
    publish(network, path, Progress(900, 61.4, [(500, 0.5, 1e-3), (900, 0.25, 1e-4)]))
    loaded = load("enhancer", "nano", path)
    assert loaded.model_id == model_id(path.read_bytes())
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.module.state_dict()[key], value)
    curve = json.loads((tmp_path / "enhancer-nano.curve.json").read_text())
    assert curve == {
        "steps": 900,
        "seconds": 61,
        "columns": ["step", "loss", "learning_rate"],
        "points": [[500, 0.5, 1e-3], [900, 0.25, 1e-4]],
    }
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "enhancer-nano.curve.json",
        "enhancer-nano.safetensors",
    ]


def test_a_training_may_begin_with_published_weights(triplet_pack: Path, tmp_path: Path) -> None:
    torch.manual_seed(7)
    published = Enhancer(64, 2)
    publish(published, tmp_path / "start.safetensors", Progress())
    pack, still = TripletPack(triplet_pack), Schedule(2, 0.0, warmup_steps=1)
    arguments = ("nano", still, 2, Deadline(NEVER), 1)
    start = tmp_path / "start.safetensors"
    made, _ = enhancer.train(pack, tmp_path / "a.pt", *arguments, start=start)
    assert torch.equal(made.stem.weight, published.stem.weight)
    with pytest.raises(
        ModelError, match=r"start\.safetensors is not the weights of enhancer \(edge"
    ):
        enhancer.train(pack, tmp_path / "b.pt", "edge", *arguments[1:], start=start)


def run_command(
    monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], *arguments: object
) -> None:
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    main()


def test_the_commands_train_and_publish(
    triplet_packs: dict[str, Path],
    sequence_pack: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    light, analysis = tmp_path / "light", tmp_path / "analysis"
    light.mkdir()
    analysis.mkdir()
    common = ("--steps", 1, "--batch", 2)
    for name, kind in (("enhancer", "full"), ("generator_up", "half")):
        run_command(
            monkeypatch, enhancer.main, "--pack", triplet_packs[kind],
            "--checkpoint", tmp_path / f"{name}.pt", *common,
            "--publish", light / f"{name}-nano.safetensors",
        )  # fmt: skip
    run_command(
        monkeypatch, latent.main, "--pack", sequence_pack, "--checkpoint", tmp_path / "l.pt",
        *common, "--publish", light, analysis,
    )  # fmt: skip
    for name in network_names():
        load(name, "nano", light / f"{name}-nano.safetensors")
    for name in analysis_names():
        load_analysis(name, "nano", analysis / f"{name}-nano.safetensors")
