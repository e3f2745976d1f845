"""Priors learn from symbols, are resumed, and are published as players compute them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from edgecodec.encoder.training import prior as prior_training
from edgecodec.encoder.training.checkpoint import Progress
from edgecodec.encoder.training.prior import measure, prior_shape, started, train
from edgecodec.encoder.training.prior_net import PriorNet, PriorShape
from edgecodec.encoder.training.publish_prior import publish_prior
from edgecodec.encoder.training.schedule import Deadline, Schedule
from edgecodec.encoder.training.symbol_pack import SymbolPack, read_symbols
from edgecodec.runtime.errors import EdgecodecError, ModelError
from edgecodec.runtime.payloads import FrameKind
from edgecodec.runtime.prior import Prior, read_prior
from edgecodec.runtime.prior_coding import HEADER_BITS, encode_with_prior
from edgecodec.runtime.prior_shape import Previous

SCHEDULE = Schedule(60, 5e-3, warmup_steps=5, quantized_share=0.0, block_steps=10)
NEVER = 1e9
CHANNELS = 64
# As many as there are, and more.
ALL_GROUPS = 255


def symbols_of(count: int, seed: int) -> SymbolPack:
    """Channels of two scales; samples are loud or quiet, and like those before them."""
    random = np.random.default_rng(seed)
    scale = np.where(np.arange(CHANNELS) % 4 == 1, 3.0, 0.2)[None, :, None, None]
    loud = random.choice([0.3, 2.0], (count, 1, 1, 1))
    previous = np.rint(random.laplace(size=(count, CHANNELS, 16, 16)) * scale * loud)
    changed = previous + np.rint(random.laplace(size=previous.shape) * 0.3)
    made = (each.clip(-127, 127).astype(np.int16) for each in (changed, previous))
    quality = random.integers(0, 64, count).astype(np.uint8)
    return SymbolPack(*made, quality, np.full(count, ALL_GROUPS, np.uint8))


@pytest.fixture(scope="module")
def packs() -> tuple[SymbolPack, SymbolPack]:
    return symbols_of(48, 0), symbols_of(8, 1)


@pytest.fixture(scope="module")
def shape(packs: tuple[SymbolPack, SymbolPack]) -> PriorShape:
    return prior_shape(packs[0], Previous.SEEN, hidden=16)


@pytest.fixture(scope="module")
def trained(
    packs: tuple[SymbolPack, SymbolPack], shape: PriorShape, tmp_path_factory
) -> tuple[PriorNet, Progress]:
    checkpoint = tmp_path_factory.mktemp("run") / "run.pt"
    net = fresh(shape)
    return net, train(net, packs[0], checkpoint, SCHEDULE, 4, Deadline(NEVER), 3)


def fresh(shape: PriorShape) -> PriorNet:
    torch.manual_seed(3)
    return PriorNet(shape)


def bits(net: PriorNet, pack: SymbolPack) -> float:
    symbols, previous = (torch.from_numpy(each).float() for each in (pack.symbols, pack.previous))
    with torch.inference_mode():
        quality = torch.from_numpy(pack.quality).long()
        return float(net.bits(symbols, quality, previous if net.shape.previous else None).sum())


def test_the_largest_channels_are_coded_first(
    packs: tuple[SymbolPack, SymbolPack], shape: PriorShape
) -> None:
    assert sorted(shape.order) == list(range(CHANNELS))
    assert all(channel % 4 == 1 for channel in shape.order[:16])
    assert sum(shape.groups) == CHANNELS


def test_training_saves_bits_on_samples_that_it_has_not_seen(
    packs: tuple[SymbolPack, SymbolPack], shape: PriorShape, trained: tuple[PriorNet, Progress]
) -> None:
    net, done = trained
    assert done.step == SCHEDULE.steps
    assert bits(net, packs[1]) < 0.8 * bits(fresh(shape), packs[1])


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    packs: tuple[SymbolPack, SymbolPack],
    shape: PriorShape,
    trained: tuple[PriorNet, Progress],
    tmp_path: Path,
) -> None:
    checkpoint = tmp_path / "run.pt"
    short = Schedule(60, 5e-3, warmup_steps=5, quantized_share=0.0, block_steps=10)
    ticks = iter(range(100))
    soon = Deadline(3, clock=lambda: next(ticks))
    stopped = train(fresh(shape), packs[0], checkpoint, short, 4, soon, 3)
    assert 0 < stopped.step < short.steps
    net = PriorNet(shape)
    done = train(net, packs[0], checkpoint, short, 4, Deadline(NEVER), 3)
    assert done.step == short.steps
    assert bits(net, packs[1]) == pytest.approx(bits(trained[0], packs[1]), rel=1e-6)


def test_players_take_the_bits_that_training_counted(
    packs: tuple[SymbolPack, SymbolPack], trained: tuple[PriorNet, Progress], tmp_path: Path
) -> None:
    net, done = trained
    path = tmp_path / "nano-p.npz"
    prior = publish_prior(net, path, done)
    assert prior.prior_id == read_prior(path).prior_id
    found = measure(net, prior, FrameKind.P, packs[1])
    assert found.estimated == pytest.approx(found.integer, rel=0.01)
    headers = HEADER_BITS * len(packs[1])
    assert found.estimated == pytest.approx(headers + bits(net, packs[1]), rel=1e-4)
    assert found.scales is not None
    assert found.integer < found.scales
    curve = json.loads((tmp_path / "nano-p.curve.json").read_text())
    assert curve["steps"] == done.step
    assert curve["points"] == [list(point) for point in done.curve]
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "nano-p.curve.json",
        "nano-p.npz",
    ]


def continued_symbols(count: int, seed: int, shape: PriorShape) -> SymbolPack:
    """What is left of frames: nothing in the last group's channels, in some nothing at all."""
    pack = symbols_of(count, seed)
    # The tables of a net that is not trained suit small numbers.
    previous = pack.previous.clip(-2, 2)
    symbols = (pack.symbols - pack.previous).clip(-2, 2)
    symbols[:, shape.order[-shape.groups[-1] :]] = 0
    symbols[::3] = 0
    return replace(pack, symbols=symbols, previous=previous)


@pytest.mark.parametrize("known", [Previous.SEEN, Previous.GATED])
def test_what_is_left_of_continued_frames_is_measured_without_explicit_scales(
    shape: PriorShape, known: Previous
) -> None:
    torch.manual_seed(5)
    net = PriorNet(replace(shape, previous=known))
    prior = Prior.from_arrays(net.arrays())
    held = continued_symbols(9, 2, shape)
    if known is Previous.GATED:
        # Symbols that stay are not coded, those that are zero are.
        held = replace(held, symbols=held.symbols + held.previous)
    found = measure(net, prior, FrameKind.C, held)
    assert found.scales is None
    assert found.estimated == pytest.approx(found.integer, rel=0.01)
    sizes = [
        8 * len(encode_with_prior(symbols, int(quality), prior, previous))
        for symbols, previous, quality in zip(
            held.symbols, held.previous, held.quality, strict=True
        )
    ]
    assert sizes.count(0) == 3
    assert found.integer == pytest.approx(sum(sizes), rel=0.02)


def test_frames_without_symbols_take_no_bits(shape: PriorShape) -> None:
    net = PriorNet(shape)
    nothing = symbols_of(3, 0)
    nothing = replace(nothing, symbols=np.zeros_like(nothing.symbols))
    found = measure(net, Prior.from_arrays(net.arrays()), FrameKind.C, nothing)
    assert (found.integer, found.estimated, found.scales) == (0, 0, None)


@pytest.mark.parametrize(
    ("channels", "groups"), [(64, (4, 12, 48)), (65, (4, 12, 32, 17)), (159, (4, 12, 32, 111))]
)
def test_many_channels_are_coded_in_more_groups(channels: int, groups: tuple[int, ...]) -> None:
    symbols = np.zeros((1, channels, 16, 16), np.int16)
    pack = SymbolPack(symbols, symbols, np.zeros(1, np.uint8), np.ones(1, np.uint8))
    shape = prior_shape(pack, Previous.SEEN)
    assert shape.groups == groups
    assert shape.means == (*(True for _ in groups[1:]), False)
    assert not shape.whole
    Prior.from_arrays(PriorNet(shape).arrays())


def test_a_prior_that_is_not_what_was_trained_is_refused(
    packs: tuple[SymbolPack, SymbolPack], shape: PriorShape, trained: tuple[PriorNet, Progress]
) -> None:
    other = Prior.from_arrays(PriorNet(shape).arrays())
    with pytest.raises(ModelError, match="do not ship it"):
        measure(trained[0], other, FrameKind.P, packs[1])


def test_weights_that_players_would_refuse_replace_nothing(
    shape: PriorShape, trained: tuple[PriorNet, Progress], tmp_path: Path
) -> None:
    path = tmp_path / "nano-p.npz"
    publish_prior(trained[0], path, trained[1])
    kept = path.read_bytes()
    wild = PriorNet(shape)
    with torch.no_grad():
        for name, parameter in wild.named_parameters():
            if name.endswith("bias"):
                parameter.fill_(1e6)
    with pytest.raises(ModelError):
        publish_prior(wild, path, trained[1])
    assert path.read_bytes() == kept


def test_a_published_prior_is_gone_on_with(
    packs: tuple[SymbolPack, SymbolPack], trained: tuple[PriorNet, Progress], tmp_path: Path
) -> None:
    path = tmp_path / "nano-p.npz"
    publish_prior(trained[0], path, trained[1])
    again = started(path, packs[0])
    # Less what rounding its weights to integers changes, which is nothing that players have.
    assert bits(again, packs[1]) == pytest.approx(bits(trained[0], packs[1]), rel=1e-6)


def test_a_prior_for_other_symbols_is_not_gone_on_with(
    packs: tuple[SymbolPack, SymbolPack], trained: tuple[PriorNet, Progress], tmp_path: Path
) -> None:
    path = tmp_path / "nano-p.npz"
    publish_prior(trained[0], path, trained[1])
    few = replace(packs[0], symbols=packs[0].symbols[:, :5])
    with pytest.raises(ModelError, match="a prior of 64 channels, the pack's symbols have 5"):
        started(path, few)


def test_groups_that_are_not_coded_learn_nothing_and_are_not_seen(
    packs: tuple[SymbolPack, SymbolPack], shape: PriorShape, tmp_path: Path
) -> None:
    """What is expected of their channels makes no difference to the others."""
    fewer = replace(packs[0], groups=np.full(len(packs[0]), 2, np.uint8))
    hidden = fewer.previous.copy()
    hidden[:, shape.order[-shape.groups[-1] :]] = 9
    short = replace(SCHEDULE, steps=12)
    made = []
    for name, pack in (("one", fewer), ("other", replace(fewer, previous=hidden))):
        net = fresh(shape)
        train(net, pack, tmp_path / name, short, 4, Deadline(NEVER), 3)
        made.append(net.arrays())
    began = fresh(shape).arrays()
    for name, array in made[0].items():
        np.testing.assert_array_equal(array, made[1][name])
        if name.endswith(("_0_2", "_1_2")):
            np.testing.assert_array_equal(array, began[name])
    assert (made[0]["w1_0_0"] != began["w1_0_0"]).any()


def test_the_last_group_learns_alone_from_frames_that_code_it(
    packs: tuple[SymbolPack, SymbolPack], shape: PriorShape, tmp_path: Path
) -> None:
    groups = np.array([2, 3] * 24, np.uint8)
    # What would be learned from the others, if they were looked at.
    symbols = packs[0].symbols.copy()
    symbols[::2] = 127
    short = replace(SCHEDULE, steps=12)
    made = []
    for name, pack in (("one", packs[0]), ("other", replace(packs[0], symbols=symbols))):
        net, mixed = fresh(shape), replace(pack, groups=groups)
        train(net, mixed, tmp_path / name, short, 4, Deadline(NEVER), 3, only_last=True)
        made.append(net.arrays())
    began = fresh(shape).arrays()
    for name, array in made[0].items():
        np.testing.assert_array_equal(array, made[1][name])
        if not name.endswith(("_0_2", "_1_2")):
            np.testing.assert_array_equal(array, began[name])
    assert (made[0]["w1_0_2"] != began["w1_0_2"]).any()
    fewer = replace(packs[0], groups=np.full(48, 2, np.uint8))
    with pytest.raises(EdgecodecError, match="no samples of frames that code 3 groups"):
        train(net, fewer, tmp_path / "no", short, 4, Deadline(NEVER), 3, only_last=True)
    assert not (tmp_path / "no").exists()


def test_a_batch_is_of_frames_with_as_many_coded_groups(
    packs: tuple[SymbolPack, SymbolPack],
) -> None:
    pack = replace(packs[0], groups=np.array([1, 2, 2, 3] * 12, np.uint8))
    random, seen = np.random.default_rng(0), []
    for _ in range(60):
        batch = pack.batch(random, 5)
        seen.append(batch.groups)
        for row in range(5):
            alike = (pack.symbols == batch.symbols[row].numpy()).all(axis=(1, 2, 3))
            at = int(np.flatnonzero(alike)[0])
            assert pack.groups[at] == batch.groups
            assert pack.quality[at] == batch.quality[row]
            np.testing.assert_array_equal(pack.previous[at], batch.previous[row])
    # Each kind as often as it is in the pack.
    assert set(seen) == {1, 2, 3}
    assert 20 < seen.count(2) < 40


def test_frames_of_which_nothing_is_coded_are_left_out(
    packs: tuple[SymbolPack, SymbolPack], tmp_path: Path
) -> None:
    groups = np.ones(len(packs[0]), np.uint8)
    groups[::4] = 0
    folder = saved((replace(packs[0], groups=groups), packs[1]), tmp_path / "symbols", "c")
    trained, held = read_symbols(folder, kind="c")
    assert len(held) == len(packs[1])
    np.testing.assert_array_equal(trained.symbols, packs[0].symbols[groups > 0])
    assert (trained.groups == 1).all()


def test_packs_of_before_there_were_groups_are_refused_by_name(
    packs: tuple[SymbolPack, SymbolPack], tmp_path: Path
) -> None:
    folder = saved(packs, tmp_path / "symbols", "c")
    with np.load(folder / "1.npz") as file:
        arrays = {name: file[name] for name in file if name != "c_groups"}
    np.savez(folder / "1.npz", allow_pickle=False, **arrays)
    with pytest.raises(EdgecodecError, match=r"1\.npz: .* make them again"):
        read_symbols(folder, kind="c")


def test_the_command_begins_the_last_group_anew(
    packs: tuple[SymbolPack, SymbolPack],
    trained: tuple[PriorNet, Progress],
    tmp_path: Path,
    monkeypatch,
) -> None:
    path, again = tmp_path / "nano-p.npz", tmp_path / "again.npz"
    publish_prior(trained[0], path, trained[1])
    run_command(
        monkeypatch,
        *("--pack", saved(packs, tmp_path / "one", "p"), "--renew-last", "--only-last"),
        *("--kind", "p", "--checkpoint", tmp_path / "run.pt", "--steps", 0, "--start", path),
        *("--threads", 1, "--publish", again),
    )
    with np.load(path) as old, np.load(again) as new:
        for name in old:
            is_last = name.endswith(("_0_2", "_1_2"))
            assert (old[name] == new[name]).all() == (not is_last)


def test_the_command_takes_the_last_group_of_another(
    packs: tuple[SymbolPack, SymbolPack],
    shape: PriorShape,
    trained: tuple[PriorNet, Progress],
    tmp_path: Path,
    monkeypatch,
) -> None:
    path, other, made = (tmp_path / f"{name}.npz" for name in ("one", "other", "made"))
    publish_prior(trained[0], path, trained[1])
    publish_prior(fresh(shape), other, trained[1])
    run_command(
        monkeypatch,
        *("--pack", saved(packs, tmp_path / "one", "p"), "--last-of", other),
        *("--kind", "p", "--checkpoint", tmp_path / "run.pt", "--steps", 0, "--start", path),
        *("--threads", 1, "--publish", made),
    )
    with np.load(path) as one, np.load(other) as two, np.load(made) as new:
        for name in new:
            wanted = two if name.endswith(("_0_2", "_1_2")) else one
            np.testing.assert_array_equal(new[name], wanted[name])


def test_the_command_goes_on_from_a_prior(
    packs: tuple[SymbolPack, SymbolPack],
    trained: tuple[PriorNet, Progress],
    tmp_path: Path,
    monkeypatch,
    capsys,
) -> None:
    """Without a step it is the same prior again, whatever width it would have had otherwise."""
    path, again = tmp_path / "nano-p.npz", tmp_path / "again.npz"
    publish_prior(trained[0], path, trained[1])
    run_command(
        monkeypatch,
        *("--pack", saved(packs, tmp_path / "one", "p"), saved(packs, tmp_path / "two", "p")),
        *("--kind", "p", "--checkpoint", tmp_path / "run.pt", "--steps", 0, "--start", path),
        *("--threads", 1, "--publish", again),
    )
    assert read_prior(again).prior_id == read_prior(path).prior_id
    assert "p of what was not trained on: " in capsys.readouterr().out


def saved(packs: tuple[SymbolPack, SymbolPack], folder: Path, kind: str) -> Path:
    """Packs as files of sources in a folder."""
    folder.mkdir()
    for number, pack in enumerate(packs):
        arrays = {
            f"{kind}_symbols": pack.symbols,
            f"{kind}_previous": pack.previous,
            f"{kind}_quality": pack.quality,
            f"{kind}_groups": pack.groups,
        }
        np.savez(folder / f"{number}.npz", allow_pickle=False, **arrays)
    return folder


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["prior", *map(str, arguments)])
    prior_training.main()


@pytest.mark.parametrize("kind", ["p", "c"])
def test_the_command_trains_measures_and_publishes(
    packs: tuple[SymbolPack, SymbolPack], tmp_path: Path, monkeypatch, capsys, kind: str
) -> None:
    folder = saved(packs, tmp_path / "symbols", kind)
    path = tmp_path / f"nano-{kind}.npz"
    arguments = ["--pack", folder, "--kind", kind, "--checkpoint", tmp_path / "run.pt"]
    arguments += ["--steps", 100, "--rate", 0.02, "--batch", 2, "--hidden", 8]
    arguments += ["--previous", "seen", "--threads", 1, "--publish", path]
    run_command(monkeypatch, *arguments)
    said = capsys.readouterr().out
    assert f"{kind} of what was not trained on: " in said
    assert "bits in integers" in said
    # Continued frames cannot have any.
    assert ("of the bits with explicit scales; " in said) == (kind == "p")
    prior = read_prior(path)
    assert (prior.channels, prior.previous, prior.whole) == (CHANNELS, True, False)
