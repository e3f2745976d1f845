from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest
from edgecodec.cli.app import app
from edgecodec.runtime import doctor, models
from edgecodec.runtime.doctor import Check, Status
from edgecodec.runtime.provider_probe import MODEL, probe
from typer.testing import CliRunner


def test_json_reports_every_check_with_a_way_to_mend_it(runner: CliRunner) -> None:
    result = runner.invoke(app, ["doctor", "--json"])
    report = json.loads(result.stdout)
    assert result.exit_code == (0 if report["can_decode"] else 5)
    checks = {check["name"]: check for check in report["checks"]}
    for name in ("AV1 decoder", "H.265 decoder", "H.264 decoder", "VVC decoder", "ONNX Runtime"):
        assert (checks[name]["status"], checks[name]["required"]) == ("ok", True)
    assert checks["provider cpu"]["status"] == "ok"
    for name in ("AV1 encoder", "H.265 encoder", "H.264 encoder", "libvvenc", "libvmaf", "torch"):
        assert checks[name]["status"] == "ok"
    assert all(check["mend"] for check in report["checks"] if check["status"] != "ok")


def test_a_missing_part_that_decoding_needs_exits_with_5(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models, "_PACKAGED", tmp_path)
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 5
    assert "missing" in result.stdout
    assert "pip install" in result.stdout


def test_an_installed_network_is_compared_with_its_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_PACKAGED", tmp_path)
    monkeypatch.setattr(doctor, "PROVIDERS", {"cuda": "none that is here, so none is probed"})
    folder = tmp_path / "nano"
    folder.mkdir()
    (folder / "enhancer.onnx").write_bytes(MODEL)
    network = {
        "name": "enhancer",
        "file": "enhancer.onnx",
        "sha256": hashlib.sha256(MODEL).hexdigest(),
        "model_id": "0" * 16,
        "inputs": [],
        "outputs": [],
    }
    manifest = {"format": 1, "tier": "nano", "target": "cpu", "size": None, "networks": [network]}
    (folder / "manifest.json").write_text(json.dumps(manifest))

    def networks() -> Check:
        (found,) = (c for c in doctor.checks(tmp_path) if c.name.startswith("networks"))
        return found

    assert (networks().status, networks().detail) == (Status.OK, "enhancer")
    (folder / "enhancer.onnx").write_bytes(MODEL + b"\0")
    assert networks().status is Status.MISSING
    assert "enhancer.onnx" in networks().detail
    (folder / "manifest.json").write_text("{")
    assert (networks().status, networks().required) == (Status.MISSING, True)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_the_probe_is_a_sound_network_and_names_a_fallback() -> None:
    onnx.checker.check_model(onnx.load_from_string(MODEL), full_check=True)
    assert probe("CPUExecutionProvider") is None
    assert probe("NoSuchExecutionProvider")


def test_a_provider_that_does_not_load_fails_its_process() -> None:
    command = [sys.executable, "-m", "edgecodec.runtime.provider_probe", "NoSuchExecutionProvider"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip()


def test_a_provider_that_is_listed_but_does_not_load_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    (cuda,) = (check for check in doctor.checks(tmp_path) if check.name == "provider cuda")
    assert (cuda.status, cuda.required) == (Status.MISSING, False)
    assert "does not load" in cuda.detail
