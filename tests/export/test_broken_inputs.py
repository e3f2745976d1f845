"""What cannot become an export is a clear error, and no half-written folder."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.decoder import build
from edgecodec.decoder.trained import LoadedNetwork
from edgecodec.export import (
    ExportOptions,
    Manifest,
    RangeMethod,
    Size,
    base_source,
    export_networks,
    float_stages,
)
from edgecodec.export.cache import Cache
from edgecodec.runtime.errors import BitstreamError, ExportError, ModelError
from safetensors.torch import save_file
from torch import nn


@pytest.fixture
def options(tmp_path: Path, weights: Path, cache: Cache) -> ExportOptions:
    """Of the enhancer, into a folder that is not there yet."""
    return ExportOptions(
        tmp_path / "models",
        networks=("enhancer",),
        weights=weights,
        simplify=False,
        max_drop_db=None,
        cache=cache,
    )


@pytest.mark.parametrize("operator", [nn.Sigmoid(), nn.LayerNorm((16, 24))])
def test_an_operator_that_has_no_integer_form_is_named(
    options: ExportOptions, monkeypatch: pytest.MonkeyPatch, operator: nn.Module
) -> None:
    network = build("enhancer", "nano").eval()
    network.activation = operator  # type: ignore[assignment]
    trained = LoadedNetwork(network, "0" * 16)
    monkeypatch.setattr(float_stages, "load_network", lambda *_: trained)
    with pytest.raises(ExportError, match=type(operator).__name__):
        export_networks(replace(options, size=Size(96, 64), cache=None))
    assert list(options.directory.parent.iterdir()) == []


def test_weights_that_are_not_numbers_are_named(options: ExportOptions, tmp_path: Path) -> None:
    tensors = build("enhancer", "nano").state_dict()
    tensors["body.0.bias"][3] = float("inf")
    broken = tmp_path / "weights"
    broken.mkdir()
    save_file(tensors, broken / "enhancer-nano.safetensors")
    with pytest.raises(ModelError, match=r"enhancer-nano\.safetensors: body\.0\.bias holds NaN"):
        export_networks(replace(options, weights=broken))
    assert list(tmp_path.iterdir()) == [broken]


@pytest.mark.parametrize("content", [b"no video at all", None])
def test_a_calibration_clip_that_does_not_decode_is_named(
    options: ExportOptions, tmp_path: Path, content: bytes | None
) -> None:
    clip = tmp_path / "broken.mp4"
    if content:
        clip.write_bytes(content)
    asked = replace(options, ranges=RangeMethod.MSE)
    with pytest.raises(BitstreamError, match=r"broken\.mp4") as refused:
        export_networks(asked, calibration=base_source([clip]))
    assert "Errno" not in str(refused.value)
    assert not options.directory.exists()


@contextmanager
def disk_of(size: int) -> Iterator[None]:
    """Within it this process cannot write a file larger than `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_older_export_whole(options: ExportOptions, tmp_path: Path) -> None:
    older = export_networks(options)
    before = {path.name: path.read_bytes() for path in options.directory.iterdir()}
    with disk_of(20_000), pytest.raises(ExportError, match=r"cannot write .*File too large"):
        export_networks(options)
    assert {path.name: path.read_bytes() for path in options.directory.iterdir()} == before
    assert Manifest.load(options.directory) == older
    assert list(tmp_path.iterdir()) == [options.directory]


def test_a_full_disk_of_the_cache_breaks_nothing(options: ExportOptions, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    export_networks(replace(options, cache=Cache(tmp_path / "cache")))
    assert (options.directory / "enhancer.onnx").exists()
