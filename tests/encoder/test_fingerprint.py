"""What makes kept trials worthless: other code, other networks, other libraries."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.encoder import fingerprint as fingerprint_module

FILES = (
    "encoder/strategies/standard.py",
    "encoder/strategies/latent_body.py",
    "encoder/analysis.py",
    "encoder/code_crops.py",
    "encoder/analysis_weights.py",
    "encoder/between_coding.py",
    "encoder/cell_costs.py",
    "encoder/code_search.py",
    "encoder/curves.py",
    "encoder/device_network.py",
    "encoder/title_network.py",
    "encoder/title_samples.py",
    "encoder/title_tuning.py",
    "encoder/codecs/x264.py",
    "encoder/programs/still_fit.py",
    "encoder/detail_coding.py",
    "encoder/detail_quality.py",
    "encoder/downscale.py",
    "encoder/filter_search.py",
    "encoder/filter_statistics.py",
    "encoder/latent_filter.py",
    "encoder/latent_kinds.py",
    "encoder/latent_rate.py",
    "encoder/latent_refinement.py",
    "encoder/latent_symbols.py",
    "encoder/masking.py",
    "encoder/motion_search.py",
    "encoder/moved_coding.py",
    "encoder/priors.py",
    "encoder/quality.py",
    "encoder/reference.py",
    "encoder/scale_choice.py",
    "encoder/scene_detail.py",
    "encoder/scoring.py",
    "encoder/stillness.py",
    "encoder/symbol_choice.py",
    "encoder/vector_choice.py",
    "encoder/vmaf.py",
    "encoder/whole_picture.py",
    "encoder/programs/program_fit.py",
    "encoder/training/fake_quant.py",
    "encoder/training/iframe.py",
    "encoder/training/latent.py",
    "encoder/training/rate.py",
    "decoder/networks.py",
    "encoder/weights/analysis_i-nano.safetensors",
    "runtime/payloads.py",
    "runtime/scenes/latent.py",
    "runtime/motions/edge.npz",
    "runtime/priors/nano-i.npz",
    "runtime/networks/nano/manifest.json",
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one file of each sort."""
    for name in (*FILES, "runtime/README.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")
    monkeypatch.setattr(fingerprint_module, "_OURS", tmp_path / "encoder")
    return tmp_path


def fresh() -> str:
    """The fingerprint of a process that starts now."""
    return fingerprint_module.fingerprint.__wrapped__()


def test_it_is_the_same_in_every_process() -> None:
    assert fresh() == fresh() == fingerprint_module.fingerprint()


@pytest.mark.parametrize("name", FILES)
def test_code_and_networks_that_trials_run_on_change_it(tree: Path, name: str) -> None:
    before = fresh()
    (tree / name).write_text("two")
    changed = fresh()
    assert changed != before
    (tree / name).write_text("one")
    assert fresh() == before


def test_it_covers_what_there_is() -> None:
    """The folders of the sample tree are those of this checkout."""
    checkout = Path(fingerprint_module.__file__).parents[1]
    assert [name for name in FILES if not (checkout / name).is_file()] == []


def test_a_new_file_changes_it_and_a_text_does_not(tree: Path) -> None:
    before = fresh()
    (tree / "runtime" / "README.md").write_text("two")
    assert fresh() == before
    (tree / "encoder" / "codecs" / "another.py").write_text("")
    assert fresh() != before


@pytest.mark.parametrize("package", ["av", "imageio-ffmpeg", "onnxruntime"])
def test_another_version_of_a_library_changes_it(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    before = fresh()
    known = fingerprint_module.version

    def version(name: str) -> str:
        return "99.0" if name == package else known(name)

    monkeypatch.setattr(fingerprint_module, "version", version)
    assert fresh() != before


def test_a_library_that_is_not_installed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fresh()

    def missing(name: str) -> str:
        raise fingerprint_module.PackageNotFoundError(name)

    monkeypatch.setattr(fingerprint_module, "version", missing)
    assert fresh() not in (before, "")
