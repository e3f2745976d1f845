"""Checkpoints: restored exactly, and never a way to run code."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from edgecodec.encoder.training import shrink
from edgecodec.encoder.training.checkpoint import (
    Progress,
    load_checkpoint,
    save_checkpoint,
    shrink_checkpoint,
)
from edgecodec.runtime.errors import ModelError
from torch import nn


def trained(seed: int, steps: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    network = nn.Conv2d(2, 3, 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.ones(1, 2, 2, 2)).square().mean().backward()
        optimizer.step()
    return network, optimizer


def step(network: nn.Module, optimizer: torch.optim.Optimizer) -> torch.Tensor:
    optimizer.zero_grad()
    network(torch.full((1, 2, 2, 2), 0.5)).square().mean().backward()
    optimizer.step()
    return network.weight.detach().clone()


DONE = Progress(700, 12.5, [(500, 0.25, 1e-3), (700, 0.125, 5e-4)])


def test_everything_comes_back_the_optimisers_memory_too(tmp_path: Path) -> None:
    network, optimizer = trained(1)
    save_checkpoint(tmp_path / "run.pt", {"enhancer": network}, optimizer, DONE)
    other, its_optimizer = trained(2)
    assert load_checkpoint(tmp_path / "run.pt", {"enhancer": other}, its_optimizer) == DONE
    assert torch.equal(other.weight, network.weight)
    assert torch.equal(step(other, its_optimizer), step(network, optimizer))
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_a_small_checkpoint_goes_on_with_half_precision_and_a_new_optimiser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    network = nn.Conv2d(64, 64, 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    network(torch.ones(1, 64, 3, 3)).square().mean().backward()
    optimizer.step()
    run, small = tmp_path / "run.pt", tmp_path / "small.pt"
    save_checkpoint(run, {"enhancer": network}, optimizer, DONE)
    monkeypatch.setattr("sys.argv", ["shrink", str(run), str(small)])
    shrink.main()
    assert "small.pt" in capsys.readouterr().out
    assert small.stat().st_size < run.stat().st_size / 5
    other = nn.Conv2d(64, 64, 3)
    fresh = torch.optim.Adam(other.parameters(), lr=0.1)
    assert load_checkpoint(small, {"enhancer": other}, fresh) == DONE
    assert other.weight.dtype == torch.float32
    torch.testing.assert_close(other.weight, network.weight, rtol=2**-10, atol=1e-7)
    assert not fresh.state
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.pt", "small.pt"]


def test_what_is_no_checkpoint_is_not_shrunk(tmp_path: Path) -> None:
    (tmp_path / "run.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match=r"run\.pt: no checkpoint"):
        shrink_checkpoint(tmp_path / "run.pt", tmp_path / "small.pt")
    assert not (tmp_path / "small.pt").exists()


def test_a_network_that_the_checkpoint_lacks_keeps_its_weights(tmp_path: Path) -> None:
    network, optimizer = trained(1)
    save_checkpoint(tmp_path / "run.pt", {"iframe_decoder": network}, optimizer, DONE)
    known, new = trained(2)[0], trained(3)[0]
    before = new.weight.clone()
    both = torch.optim.Adam([*known.parameters(), *new.parameters()])
    networks = {"iframe_decoder": known, "generator_p": new}
    assert load_checkpoint(tmp_path / "run.pt", networks, both) == DONE
    assert torch.equal(known.weight, network.weight)
    assert torch.equal(new.weight, before)


def test_the_last_checkpoint_survives_a_save_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, optimizer = trained(1)
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"enhancer": network}, optimizer, DONE)

    def half(state: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, {"enhancer": network}, optimizer, Progress(900))
    assert load_checkpoint(path, {"enhancer": trained(2)[0]}, None) == DONE


class Payload:
    """What a hostile file would run when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("EXECUTED"),))


@pytest.mark.parametrize("bare", [True, False], ids=["a pickle", "inside a checkpoint"])
def test_a_checkpoint_with_code_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.pt"
    state = {"networks": {}, "optimizer": Payload(), "step": 1, "seconds": 0.0, "curve": []}
    if bare:
        path.write_bytes(pickle.dumps(Payload(), protocol=2))
    else:
        torch.save(state, path)
    with pytest.raises(ModelError, match=r"run\.pt: no checkpoint of this training"):
        load_checkpoint(path, {"enhancer": trained(1)[0]}, None)
    assert [each.name for each in tmp_path.iterdir()] == ["run.pt"]


def test_the_payload_of_these_tests_would_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Payload()))
    assert (tmp_path / "EXECUTED").exists()


def test_what_is_no_checkpoint_says_so(tmp_path: Path) -> None:
    network, optimizer = trained(1)
    path = tmp_path / "run.pt"
    save_checkpoint(path, {"enhancer": network}, optimizer, DONE)
    whole = path.read_bytes()
    for data in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(ModelError, match="delete it to begin anew"):
            load_checkpoint(path, {"enhancer": network}, optimizer)
    path.write_bytes(whole)
    with pytest.raises(ModelError, match="delete it to begin anew"):
        load_checkpoint(path, {"enhancer": nn.Conv2d(9, 9, 3)}, None)
    torch.save({"other": 1}, path)
    with pytest.raises(ModelError, match="KeyError"):
        load_checkpoint(path, {"enhancer": network}, None)
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "nowhere.pt", {}, None)
