"""A whole export for each kind of device, its compiler included."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from edgecodec.decoder import network_names
from edgecodec.export import (
    Arithmetic,
    Cache,
    ExportOptions,
    Manifest,
    Precision,
    Size,
    base_source,
    export_networks,
    html_report,
    plan_export,
)
from edgecodec.export.plan import network_jobs
from edgecodec.runtime.errors import UnsupportedError
from edgecodec.runtime.models import read_models

Texture = Callable[[Path, int, tuple[int, int]], Path]


@pytest.fixture(scope="module")
def clip(moving_texture: Texture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_texture(tmp_path_factory.mktemp("clip") / "texture.mp4", 12, (96, 64))


def enhancer(
    folder: Path, weights: Path, target: str, cache: Cache, **more: object
) -> ExportOptions:
    return ExportOptions(
        folder / "models",
        networks=("enhancer",),
        size=Size(96, 64),
        target=target,
        weights=weights,
        simplify=False,
        max_drop_db=1.0,
        cache=cache,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("target", "devices", "provider"),
    [
        ("qnn", {"socs": ("8gen3", "snapdragon 8 Gen 3")}, "QNNExecutionProvider"),
        ("tensorrt", {"capabilities": ("8.6", "sm120")}, "TensorrtExecutionProvider"),
    ],
)
def test_every_device_has_its_file_and_every_node_is_on_it(
    weights: Path,
    tmp_path: Path,
    clip: Path,
    cache: Cache,
    target: str,
    devices: object,
    provider: str,
) -> None:
    assert isinstance(devices, dict)
    options = enhancer(tmp_path, weights, target, cache, placement_percent=100.0, **devices)
    manifest = export_networks(options, base_source([clip]))
    assert Manifest.load(options.directory) == manifest
    (entry,) = manifest.networks
    named = ["8gen3"] if target == "qnn" else ["sm86", "sm120"]
    assert [artefact.device for artefact in entry.artefacts] == named
    for artefact in entry.artefacts:
        assert artefact.compiled
        data = (options.directory / (artefact.file or "")).read_bytes()
        assert artefact.sha256 == hashlib.sha256(data).hexdigest()
        if artefact.wrapper:
            assert (options.directory / artefact.wrapper).is_file()
    assert (entry.placement.provider, entry.placement.percent) == (provider, 100)
    assert "CPUExecutionProvider" in [placement.provider for placement in entry.placements]
    assert entry.template is None
    assert read_models(options.directory).target == target
    page = html_report(manifest)
    assert all(artefact.device in page for artefact in entry.artefacts)


def test_the_simulator_and_the_cpu_agree_on_exact_integers(
    weights: Path, tmp_path: Path, clip: Path, cache: Cache
) -> None:
    ids = {}
    for arithmetic in Arithmetic:
        options = enhancer(
            tmp_path / arithmetic.value,
            weights,
            "qnn",
            cache,
            socs=("8gen3",),
            arithmetic=arithmetic,
        )
        (entry,) = export_networks(options, base_source([clip])).networks
        (artefact,) = entry.artefacts
        assert artefact.difference is not None
        assert artefact.difference.identical == (arithmetic is Arithmetic.EXACT)
        ids[arithmetic] = entry.model_id
    # What may be predicted from is not to be taken for what may not.
    assert len(set(ids.values())) == 2
    cpu = enhancer(tmp_path / "cpu", weights, "cpu", cache, arithmetic=Arithmetic.EXACT)
    (entry,) = export_networks(cpu, base_source([clip])).networks
    assert entry.model_id == ids[Arithmetic.EXACT]
    assert entry.template is None


@pytest.mark.parametrize(
    ("target", "asked", "exact"),
    [
        ("cpu", None, {"iframe_decoder", "generator_p", "generator_b"}),
        ("qnn", None, {"iframe_decoder", "generator_p", "generator_b"}),
        ("tensorrt", None, set()),
        ("cpu", Arithmetic.FAST, set()),
        ("cpu", Arithmetic.EXACT, set(network_names())),
    ],
)
def test_what_later_frames_depend_on_is_exact_unless_otherwise_asked(
    weights: Path, tmp_path: Path, target: str, asked: Arithmetic | None, exact: set[str]
) -> None:
    options = ExportOptions(
        tmp_path / "models", size=Size(64, 64), weights=weights, target=target, arithmetic=asked
    )
    jobs = network_jobs(options, None, None)
    assert {job.network.name for job in jobs if job.arithmetic is Arithmetic.EXACT} == exact
    assert len(jobs) == len(network_names())


@pytest.mark.parametrize("arithmetic", [Arithmetic.FAST, None])
def test_references_that_may_drift_are_told(
    weights: Path, tmp_path: Path, cache: Cache, arithmetic: Arithmetic | None
) -> None:
    options = ExportOptions(
        tmp_path / "models",
        networks=("generator_p",),
        size=Size(64, 64),
        weights=weights,
        arithmetic=arithmetic,
        max_drop_db=None,
        simplify=False,
        cache=cache,
    )
    manifest = export_networks(options)
    (entry,) = manifest.networks
    drifts = arithmetic is Arithmetic.FAST
    assert entry.arithmetic == ("fast" if drifts else "exact")
    assert manifest.arithmetic == ("fast" if drifts else "by network")
    assert ("may drift" in entry.notes.get("arithmetic", "")) == drifts
    assert ("may drift" in html_report(manifest)) == drifts


def test_openvino_has_the_integers_of_the_cpu(
    weights: Path, tmp_path: Path, clip: Path, cache: Cache
) -> None:
    made = {}
    for target in ("cpu", "openvino"):
        options = enhancer(tmp_path / target, weights, target, cache)
        (made[target],) = export_networks(options, base_source([clip])).networks
    assert made["cpu"].sha256 == made["openvino"].sha256


@pytest.mark.parametrize(
    ("target", "more", "message"),
    [
        ("qnn", {"socs": ("9gen9",)}, "8gen3"),
        ("tensorrt", {"capabilities": ("ampere",)}, "86"),
        ("tensorrt", {"arithmetic": Arithmetic.EXACT}, "no exact arithmetic for tensorrt"),
        ("qnn", {"precision": Precision.FP32}, "give --int8"),
        ("cpu", {"remake_from": "polish"}, "known are onnx, simplify, calibrate"),
    ],
)
def test_what_a_target_does_not_know_is_refused_before_anything_is_made(
    weights: Path, tmp_path: Path, cache: Cache, target: str, more: dict[str, object], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message):
        export_networks(enhancer(tmp_path, weights, target, cache, **more))
    assert list(tmp_path.iterdir()) == []


def test_a_second_export_takes_everything_from_the_cache(
    weights: Path, tmp_path: Path, clip: Path
) -> None:
    options = enhancer(tmp_path, weights, "cpu", Cache(tmp_path / "cache"))
    (planned,) = plan_export(options, base_source([clip]))
    assert planned.cached == ()
    first = export_networks(options, base_source([clip]))
    entries = sorted((tmp_path / "cache").glob("*/*.zip"))
    assert len(entries) == len(planned.stages)
    (planned,) = plan_export(options, base_source([clip]))
    assert planned.cached == planned.stages

    files = {path.name: path.read_bytes() for path in options.directory.iterdir()}
    assert export_networks(options, base_source([clip])) == first
    assert {path.name: path.read_bytes() for path in options.directory.iterdir()} == files
    assert sorted((tmp_path / "cache").glob("*/*.zip")) == entries
    # Another clip changes what is measured, and not what the graph is.
    (planned,) = plan_export(options, None)
    assert set(planned.cached) >= {"onnx", "simplify", "calibrate"}
    assert "loss" not in planned.cached
