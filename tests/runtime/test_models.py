"""Model folders: what a manifest says, and what is wrong with one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edgecodec.runtime.errors import ModelError
from edgecodec.runtime.models import (
    MANIFEST,
    Port,
    TemplateFile,
    find_model,
    packaged_models,
    packaged_tiers,
    read_models,
)

GRAPH = b"not really a graph"


def manifest(**network: Any) -> dict[str, Any]:
    port = {"name": "cur", "shape": [1, 24, None, None], "stride": 4, "scale": 0.5, "zero_point": 3}
    entry = {
        "name": "enhancer",
        "file": "enhancer.onnx",
        "sha256": hashlib.sha256(GRAPH).hexdigest(),
        "model_id": "00112233445566aa",
        "inputs": [port],
        "outputs": [port | {"name": "frame_out", "shape": [1, 24, 180, 320]}],
    }
    return {
        "format": 1,
        "target": "cpu",
        "tier": "nano",
        "size": {"width": 1280, "height": 720},
        "networks": [entry | network],
    }


def write(folder: Path, content: dict[str, Any] | str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "enhancer.onnx").write_bytes(GRAPH)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / MANIFEST).write_text(text)
    return folder


def test_a_manifest_is_read_in_full(tmp_path: Path) -> None:
    models = read_models(write(tmp_path, manifest()))
    assert (models.path, models.tier, models.target) == (tmp_path, "nano", "cpu")
    assert models.size == (1280, 720)
    entry = models.network("enhancer")
    assert entry.file == tmp_path / "enhancer.onnx"
    assert entry.inputs == (Port("cur", (1, 24, None, None), 4, 0.5, 3),)
    assert entry.outputs[0].shape == (1, 24, 180, 320)
    assert entry.read() == GRAPH
    assert find_model("00112233445566aa", [models]) is entry


def test_a_template_lies_beside_its_network(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"template").hexdigest()
    described = manifest(template={"file": "enhancer.template.npz", "sha256": digest})
    entry = read_models(write(tmp_path, described)).network("enhancer")
    assert entry.template == TemplateFile(tmp_path / "enhancer.template.npz", digest)
    (tmp_path / "enhancer.template.npz").write_bytes(b"template")
    assert entry.template.read() == b"template"
    assert read_models(write(tmp_path, manifest())).network("enhancer").template is None


def test_an_input_is_found_by_its_name(tmp_path: Path) -> None:
    entry = read_models(write(tmp_path, manifest())).network("enhancer")
    assert entry.input("cur") is entry.inputs[0]
    with pytest.raises(ModelError, match="no input gain, only cur"):
        entry.input("gain")


def test_a_size_of_null_is_any_size(tmp_path: Path) -> None:
    assert read_models(write(tmp_path, manifest() | {"size": None})).size is None


def test_no_manifest_says_where_and_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder") as raised:
        read_models(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(raised.value)
    assert "edgecodec export" in str(raised.value)


MALFORMED: dict[str, tuple[Callable[[], dict[str, Any] | str], str]] = {
    "not JSON": (lambda: '{"format": 1,', "not JSON"),
    "empty": (lambda: "", "not JSON"),
    "not a table": (lambda: "[1, 2]", "malformed"),
    "no networks": (lambda: {"format": 1, "tier": "x", "target": "y", "size": None}, "networks"),
    "networks are no list": (lambda: manifest() | {"networks": 5}, "malformed"),
    "a network is no table": (lambda: manifest() | {"networks": ["enhancer"]}, "malformed"),
    "size is no table": (lambda: manifest() | {"size": "720p"}, "malformed"),
    "ports are no list": (lambda: manifest(inputs=None), "malformed"),
    "a shape is no number": (lambda: manifest(inputs=[{"name": "x", "shape": ["a"]}]), "malformed"),
    "a template is no table": (lambda: manifest(template="x.npz"), "malformed"),
    "a template without a file": (lambda: manifest(template={"sha256": ""}), "malformed"),
    "later format": (lambda: manifest() | {"format": 2}, "format 2, this version reads 1"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_manifest_is_named(tmp_path: Path, case: str) -> None:
    content, expected = MALFORMED[case]
    with pytest.raises(ModelError, match=expected) as raised:
        read_models(write(tmp_path, content()))
    assert str(tmp_path / MANIFEST) in str(raised.value)


def test_a_manifest_of_other_bytes_than_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=MANIFEST):
        read_models(tmp_path)


@pytest.mark.parametrize(
    "file", ["../secret.onnx", "/etc/hostname", "deep/x.onnx", "..", "", "a\0b"]
)
def test_a_file_outside_of_the_folder_is_refused(tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.onnx").write_bytes(GRAPH)
    with pytest.raises(ModelError, match="not in the folder itself") as raised:
        read_models(write(tmp_path / "models", manifest(file=file)))
    assert MANIFEST in str(raised.value)
    described = manifest(template={"file": file, "sha256": ""})
    with pytest.raises(ModelError, match="not in the folder itself"):
        read_models(write(tmp_path / "models", described))


def test_a_file_that_is_not_the_described_one_is_refused(tmp_path: Path) -> None:
    entry = read_models(write(tmp_path, manifest())).network("enhancer")
    entry.file.write_bytes(GRAPH + b"!")
    with pytest.raises(ModelError, match=r"not the file that manifest\.json describes") as raised:
        entry.read()
    assert str(entry.file) in str(raised.value)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    entry = read_models(write(tmp_path, manifest())).network("enhancer")
    entry.file.unlink()
    with pytest.raises(ModelError, match="cannot be read") as raised:
        entry.read()
    assert str(entry.file) in str(raised.value)


def test_an_unknown_network_or_id_says_what_there_is(tmp_path: Path) -> None:
    models = read_models(write(tmp_path, manifest()))
    with pytest.raises(ModelError, match=r"no network generator_p; it has enhancer"):
        models.network("generator_p")
    with pytest.raises(ModelError, match="needs network 0123456789abcdef") as raised:
        find_model("0123456789abcdef", [models])
    assert str(tmp_path) in str(raised.value)
    with pytest.raises(ModelError, match="no folders"):
        find_model("0123456789abcdef", [])


def test_the_first_folder_that_has_a_network_wins(tmp_path: Path) -> None:
    folders = [read_models(write(tmp_path / name, manifest())) for name in ("a", "b")]
    assert find_model("00112233445566aa", folders).file == tmp_path / "a" / "enhancer.onnx"


def test_the_installed_networks_are_what_their_manifest_describes() -> None:
    assert {"nano", "edge"} <= set(packaged_tiers())
    for tier in packaged_tiers():
        models = read_models(packaged_models(tier))
        assert (models.tier, models.size) == (tier, None)
        names = {entry.name for entry in models.networks}
        menders = {"enhancer", "generator_up"}
        generators = {"generator_b", "generator_p"} if tier == "nano" else set()
        assert names == menders | generators | {"iframe_decoder"}
        for entry in models.networks:
            assert entry.read()
            assert (entry.template is not None) == (entry.name in menders)


def test_a_tier_that_is_not_installed_says_which_are() -> None:
    with pytest.raises(ModelError, match=r"tier 'huge' are installed; installed tiers: .*nano"):
        packaged_models("huge")
