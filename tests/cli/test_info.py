from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edgecodec.cli.app import app
from edgecodec.runtime.container import Reader, StrategyId, Writer
from edgecodec.runtime.models import packaged_models
from edgecodec.runtime.payloads import (
    ClassicalBody,
    FrameKind,
    HybridBody,
    LatentBody,
    LatentPacket,
    pack_body,
    parse_body,
)
from edgecodec.runtime.scene_code import identity_code
from edgecodec.runtime.scene_filter import CLASSES, PlaneFilter, SceneFilter, taps_of
from edgecodec.runtime.title import TensorDelta, TitleWeights
from typer.testing import CliRunner

MODEL = "00112233445566aa"


def test_json_tells_the_header_the_scenes_and_the_sound(runner: CliRunner, stream: Path) -> None:
    result = runner.invoke(app, ["info", str(stream), "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["width"], told["height"], told["bit_depth"]) == (64, 48, 8)
    assert (told["frames"], told["frame_rate"], told["tier"]) == (12, "25", "nano")
    assert told["duration"] == pytest.approx(12 / 25)
    assert told["bytes"] == stream.stat().st_size
    (sound,) = told["streams"]
    video_bytes = told["bytes"] - sound["bytes"]
    assert told["bitrate_mbps"] == pytest.approx(8 * video_bytes / told["duration"] / 1e6)
    assert told["other_streams_mbps"] == pytest.approx(8 * sound["bytes"] / told["duration"] / 1e6)
    assert [(s["start"], s["frames"], s["strategy"], s["codec"]) for s in told["scenes"]] == [
        (0.0, 6, "classical", "h264"),
        (pytest.approx(0.24), 6, "classical", "h264"),
    ]
    assert 0 < sum(scene["bits"] for scene in told["scenes"]) < 8 * told["bytes"]
    assert (sound["kind"], sound["codec"], sound["channels"]) == ("audio", "aac", 1)
    assert sound["packets"] >= 10
    assert told["damage"] == []


def test_a_damaged_scene_is_named_and_the_rest_is_told(
    runner: CliRunner, damaged_stream: Path
) -> None:
    result = runner.invoke(app, ["info", str(damaged_stream), "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    first, last = told["scenes"]
    assert (first["strategy"], first["problem"]) == ("classical", None)
    assert last["strategy"] is None
    assert (last["start_frame"], last["frames"]) == (6, 6)
    assert last["problem"]
    (damage,) = told["damage"]
    assert damage["size"] * 8 == last["bits"]


@pytest.fixture
def adapted_stream(tmp_path: Path, stream_bytes: bytes) -> Path:
    """A scene of two mended frames, with a scene code and title weights."""
    path = tmp_path / "adapted.ecv"
    with io.BytesIO(stream_bytes) as file:
        reader = Reader(file)
        chunk = reader.chunk(reader.index[0])
    classical = parse_body(chunk.strategy, chunk.body, len(chunk.pts))
    assert isinstance(classical, ClassicalBody)
    body = HybridBody(
        classical.base, MODEL, (True, True) + (False,) * 4, identity_code(64), title=0
    )
    title = TitleWeights(MODEL, (TensorDelta(0, 0, np.zeros(9, np.int8)),))
    with path.open("wb") as target:
        writer = Writer(target, replace(reader.header, aux_streams=()), [title])
        mended = replace(chunk, strategy=StrategyId.HYBRID_SEMANTIC, body=pack_body(body))
        writer.write_chunk(mended)
        writer.finish()
    return path


def test_what_adapts_a_network_is_told(runner: CliRunner, adapted_stream: Path) -> None:
    told = json.loads(runner.invoke(app, ["info", str(adapted_stream), "--json"]).stdout)
    assert told["titles"] == [{"number": 0, "model": MODEL, "bytes": 16}]
    (scene,) = told["scenes"]
    assert (scene["enhanced_frames"], scene["has_code"], scene["title"]) == (2, True, 0)
    shown = runner.invoke(app, ["info", str(adapted_stream)]).stdout
    assert f"title weights 0 of {MODEL}: 16 bytes" in shown
    assert "2 + title 0 + code" in shown


def test_scenes_with_filters_are_told(
    runner: CliRunner, tmp_path: Path, stream_bytes: bytes
) -> None:
    path = tmp_path / "filtered.ecv"
    reader = Reader(io.BytesIO(stream_bytes))
    plain, chunk = (reader.chunk(entry) for entry in reader.index)
    body = parse_body(chunk.strategy, chunk.body, len(chunk.pts))
    assert isinstance(body, ClassicalBody)
    luma = PlaneFilter(7, np.ones((1, taps_of(0)), np.int8), (0,) * CLASSES)
    body = replace(body, filter=SceneFilter((luma, None, None)))
    with path.open("wb") as target:
        writer = Writer(target, replace(reader.header, aux_streams=()))
        writer.write_chunk(plain)
        writer.write_chunk(replace(chunk, body=pack_body(body)))
        writer.finish()
    told = json.loads(runner.invoke(app, ["info", str(path), "--json"]).stdout)
    assert [scene["has_filter"] for scene in told["scenes"]] == [False, True]
    assert runner.invoke(app, ["info", str(path)]).exit_code == 0


def test_what_codes_latents_is_told(runner: CliRunner, tmp_path: Path, stream_bytes: bytes) -> None:
    path, other = tmp_path / "priors.ecv", MODEL[::-1]
    reader = Reader(io.BytesIO(stream_bytes))
    packets = [LatentPacket(FrameKind.P, n, (n - 1,), 9, b"") for n in range(1, 6)]
    packets.insert(0, LatentPacket(FrameKind.I, 0, (), 9, b""))
    priors = (MODEL, other, MODEL, None)
    with path.open("wb") as target:
        writer = Writer(target, replace(reader.header, aux_streams=()))
        for number, known in enumerate((priors, (None,) * 4)):
            body = LatentBody((MODEL,), ((0,) * 16,) * 3, tuple(packets), known)
            chunk = reader.chunk(reader.index[number])
            coded = replace(chunk, strategy=StrategyId.SEMANTIC_LATENT, body=pack_body(body))
            writer.write_chunk(coded)
        writer.finish()
    told = json.loads(runner.invoke(app, ["info", str(path), "--json"]).stdout)
    assert [scene["priors"] for scene in told["scenes"]] == [[MODEL, other], []]
    shown = runner.invoke(app, ["info", str(path)]).stdout
    assert shown.count("priors") == 2  # the file's name, and one scene


def test_a_stream_that_is_cut_off_still_reads(
    runner: CliRunner, tmp_path: Path, stream_bytes: bytes
) -> None:
    cut = tmp_path / "cut.ecv"
    cut.write_bytes(stream_bytes[: stream_bytes.rindex(b"CHNK") + 100])
    told = json.loads(runner.invoke(app, ["info", str(cut), "--json"]).stdout)
    assert [scene["frames"] for scene in told["scenes"]] == [6]


def test_the_table_names_each_scene_and_the_damage(runner: CliRunner, damaged_stream: Path) -> None:
    result = runner.invoke(app, ["info", str(damaged_stream)])
    assert result.exit_code == 0
    assert "64x48" in result.stdout
    assert "classical" in result.stdout
    assert "unreadable" in result.stdout
    assert "damage:" in result.stdout


@pytest.mark.parametrize("content", [b"", b"hello, world", b"\x9fECVHEAD" + bytes(100)])
def test_what_is_no_stream_is_bad_input(runner: CliRunner, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "not.ecv"
    path.write_bytes(content)
    result = runner.invoke(app, ["info", str(path), "--json"])
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["type"] == "BitstreamError"
    assert result.stderr.startswith(f"error: {path}: ")


@pytest.mark.parametrize("tier", ["nano", "edge"])
def test_a_folder_of_networks_is_told_from_its_manifest(runner: CliRunner, tier: str) -> None:
    folder = packaged_models(tier)
    written = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    told = json.loads(runner.invoke(app, ["info", str(folder), "--json"]).stdout)
    assert told == {**written, "directory": str(folder)}
    shown = runner.invoke(app, ["info", str(folder)])
    assert shown.exit_code == 0
    for network in written["networks"]:
        assert network["name"] in shown.stdout
        assert network["model_id"] in shown.stdout
    assert f"torch {written['tools']['torch']}" in shown.stdout


def test_a_folder_without_networks_is_bad_input(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["info", str(tmp_path)])
    assert result.exit_code == 3
    assert "no model folder" in result.stderr


def test_what_devices_got_is_told(runner: CliRunner, tmp_path: Path) -> None:
    manifest = json.loads((packaged_models("edge") / "manifest.json").read_text(encoding="utf-8"))
    compiled = {
        "network": "enhancer",
        "device": "8gen3",
        "file": "enhancer.8gen3_qnn.bin",
        "bytes": 143360,
        "seconds": 0.8,
        "tool": "onnxruntime-qnn 2.7.0",
    }
    manifest["networks"][0]["artefacts"] = [
        {**compiled, "difference": None},
        {**compiled, "difference": {"share": 0.25, "largest": 2, "mean": 0.3}},
        {**compiled, "difference": {"share": 0.0, "largest": 0, "mean": 0.0}},
    ]
    manifest["networks"][0]["recipe"] = {"precision": {"stem": "float"}}
    manifest["networks"][0]["notes"] = {"sensitivity": "0.06 dB lost in INT8, so float: stem"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    shown = runner.invoke(app, ["info", str(tmp_path)]).stdout
    for text in (
        "enhancer.8gen3_qnn.bin",
        "not run",
        "25.00 %, at most 2",
        "nowhere",
        "so float: stem",
    ):
        assert text in shown
