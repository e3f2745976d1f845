"""An average of trainings is between them, and of one network only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from edgecodec.decoder import build
from edgecodec.encoder.training import average
from edgecodec.runtime.errors import ModelError
from safetensors.torch import load_file, save_file


def weights(path: Path, tier: str = "nano", seed: int = 0) -> Path:
    torch.manual_seed(seed)
    save_file(build("enhancer", tier).state_dict(), path)
    return path


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["average", *map(str, arguments)])
    average.main()


def test_every_weight_is_the_mean_by_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = weights(tmp_path / "one.safetensors", seed=1)
    other = weights(tmp_path / "other.safetensors", seed=2)
    curve = {"steps": 3, "seconds": 1, "columns": [], "points": []}
    (tmp_path / "other.curve.json").write_text(json.dumps(curve))
    mean = tmp_path / "mean.safetensors"
    command(monkeypatch, one, other, "--shares", 1, 3, "--publish", mean)
    assert json.loads((tmp_path / "mean.curve.json").read_text()) == curve
    made, first, second = (load_file(path) for path in (mean, one, other))
    assert made.keys() == first.keys()
    for name, tensor in made.items():
        torch.testing.assert_close(tensor, 0.25 * first[name] + 0.75 * second[name])
    build("enhancer", "nano").load_state_dict(made)


def test_of_one_file_it_is_that_file(tmp_path: Path) -> None:
    one = weights(tmp_path / "one.safetensors")
    for name, tensor in average.average([one], [2.0]).items():
        assert torch.equal(tensor, load_file(one)[name])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    files = [weights(tmp_path / "n.safetensors"), weights(tmp_path / "e.safetensors", "edge")]
    with pytest.raises(ModelError, match=r"e\.safetensors: weights of another network"):
        average.average(files, [1.0, 1.0])
    files[1].write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(ModelError, match=r"e\.safetensors: no safetensors"):
        average.average(files, [1.0, 1.0])


@pytest.mark.parametrize("shares", [["1"], ["0", "0"], ["1", "2", "3"]])
def test_shares_that_fit_no_files_are_a_usage_error(
    shares: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [weights(tmp_path / "a.safetensors"), weights(tmp_path / "b.safetensors")]
    out = tmp_path / "out.safetensors"
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, *files, "--shares", *shares, "--publish", out)
    assert ended.value.code == 2
    assert "--shares" in capsys.readouterr().err
    assert not out.exists()
