from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from edgecodec.cli.app import app
from edgecodec.encoder import EncodeOptions
from edgecodec.encoder.adaptation import Adaptation
from edgecodec.encoder.targets import BitrateTarget, Metric, MetricTarget, QualityTarget, Scope
from edgecodec.orchestrator.encode_options import encode_options
from edgecodec.orchestrator.preset import origin_lines, preset_text, read_preset, write_preset
from edgecodec.orchestrator.records import EncodeSettings, TargetSpec
from edgecodec.orchestrator.records.result import ClipResult, Result
from edgecodec.orchestrator.records.settings import (
    ADAPTATIONS,
    CODECS,
    EFFORTS,
    SEARCHES,
    SIZES,
    STRATEGIES,
    TARGETS,
    TIERS,
)
from edgecodec.runtime.errors import UnsupportedError
from hypothesis import given
from hypothesis import settings as running
from hypothesis import strategies as st
from typer.testing import CliRunner

SETTINGS = EncodeSettings(
    TargetSpec("psnr", 40.0),
    strategies=("classical", "hybrid_semantic"),
    codecs=("av1", "vvc"),
    sizes=("full",),
    tier="edge",
    effort="fast",
    search="exhaustive",
    adapt="code",
    title_steps=30,
)
REPORT: dict[str, Any] = {"target_met": None, "note": ""}


def some(values: tuple[str, ...], least: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, unique=True).map(tuple)


def targets() -> st.SearchStrategy[TargetSpec]:
    return st.builds(TargetSpec, st.sampled_from(TARGETS), st.floats(1e-6, 1, exclude_max=True))


SOME_SETTINGS = st.builds(
    EncodeSettings,
    targets(),
    some(STRATEGIES, 0),
    some(CODECS, 1),
    some(SIZES, 1),
    st.sampled_from(TIERS),
    st.sampled_from(EFFORTS),
    st.sampled_from(SEARCHES),
    st.none() | st.sampled_from(ADAPTATIONS),
    st.none() | st.integers(1, 10_000),
)


@running(deadline=None)
@given(SOME_SETTINGS, st.lists(st.text(max_size=20), max_size=3))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, settings: EncodeSettings, origin: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "some.toml"
    write_preset(path, settings, origin)
    assert read_preset(path) == settings


def test_it_says_where_it_comes_from_and_no_name_can_say_more(tmp_path: Path) -> None:
    clip = ClipResult(
        clip='clips/x.mp4\ntier = "max"\r[target]',
        frames=250,
        duration_s=10.0,
        bytes=1_250_000,
        bitrate_mbps=1.0,
        psnr=41.234,
        ssim=0.98765,
        ms_ssim=0.99123,
        vmaf=95.5,
        encode_fps=3.0,
        decode_fps=60.0,
        strategies={"classical": 250},
        tops_per_frame=0.0123,
        verdict="likely",
        device_ms=None,
    )
    result = Result("ab" * 16, (clip,), 12.0, "worker-1", {})
    text = preset_text(SETTINGS, origin_lines("demo", result))
    comments = [line for line in text.splitlines() if line.startswith("#")]
    about = "\n".join(comments)
    assert "edgecodec encode IN -o OUT.ecv --preset FILE" in about
    for known in ("demo", "ab" * 16, "worker-1", "1.000 Mb/s", "41.23 dB", "VMAF 95.50", "likely"):
        assert known in about
    assert "250 frames" in about
    path = tmp_path / "named.toml"
    write_preset(path, SETTINGS, origin_lines("demo\nschema = 9", result))
    assert read_preset(path) == SETTINGS


def test_what_is_usual_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "by-hand.toml"
    path.write_text('schema = 1\neffort = "high"\n[target]\nkind = "quality"\nvalue = 70\n')
    usual = EncodeSettings(TargetSpec("quality", 70.0))
    assert read_preset(path) == EncodeSettings(usual.target, effort="high")


def test_the_documentations_example_is_one(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "presets.md"
    example = page.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    path = tmp_path / "documented.toml"
    path.write_text(example)
    assert read_preset(path) == EncodeSettings(
        TargetSpec("psnr", 41.0),
        strategies=("classical", "hybrid_semantic"),
        codecs=("av1", "h265"),
        effort="fast",
        adapt="code",
    )


def test_an_old_preset_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "preset.toml"
    path.write_text("something else")
    write_preset(path, SETTINGS)
    assert read_preset(path) == SETTINGS
    assert [each.name for each in tmp_path.iterdir()] == ["preset.toml"]
    assert tomllib.loads(path.read_text())["schema"] == 1


TARGET = '[target]\nkind = "quality"\nvalue = 70\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("schema = ", "TOML"),
        (TARGET, "schema"),
        ('schema = "one"\n' + TARGET, "schema"),
        ("schema = true\n" + TARGET, "schema"),
        ("schema = 2\n" + TARGET, "install"),
        ("schema = 1\n", r"\[target\]"),
        ("schema = 1\ntarget = 5\n", "target"),
        ('schema = 1\n[target]\nkind = "speed"\nvalue = 1\n', "speed"),
        ('schema = 1\n[target]\nkind = "ssim"\nvalue = 1.0\n', "ssim"),
        ('schema = 1\neffort = "great"\n' + TARGET, "fast, normal, high"),
        ('schema = 1\ncodecs = ["vp9"]\n' + TARGET, "vp9"),
        ("schema = 1\ncodecs = []\n" + TARGET, "at least one codec"),
        ("schema = 1\nshutter = 3\n" + TARGET, "shutter"),
        ("schema = 1\ntitle_steps = 0\n" + TARGET, "title_steps"),
    ],
)
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(UnsupportedError, match=named) as error:
        read_preset(path)
    assert str(path) in str(error.value)


class FakeEncoder:
    """Keeps the options that the verb makes."""

    options: EncodeOptions

    def __call__(self, source: Path, output: Path, options: EncodeOptions, *_: object) -> Any:
        self.options = options
        return self

    def to_dict(self) -> dict[str, Any]:
        return REPORT


@pytest.fixture
def encode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_clip: Any) -> Any:
    """`encode(*options)`: what the encoder is asked for by `edgecodec encode` with a preset."""
    fake = FakeEncoder()
    monkeypatch.setattr("edgecodec.encoder.encode", fake)
    path = tmp_path / "preset.toml"
    write_preset(path, SETTINGS)
    fixed = ["encode", str(small_clip.path), "-o", str(tmp_path / "out.ecv"), "--json"]

    def run(*options: str, expected: int = 0, preset: Path = path) -> Any:
        result = CliRunner().invoke(app, [*fixed, *options, "--preset", str(preset)])
        assert result.exit_code == expected, result.output
        return json.loads(result.stdout)["error"]["message"] if expected else fake.options

    return run


def test_encode_takes_what_the_preset_says(encode: Any) -> None:
    assert encode() == encode_options(SETTINGS)


def test_options_on_the_command_line_win(encode: Any) -> None:
    options = encode("--codecs", "h264", "--adapt", "none", "--effort", "normal")
    kept = encode_options(SETTINGS)
    assert [codec.name for codec in options.codecs] == ["H264"]
    assert (options.adapt, options.effort.value) == (Adaptation.NONE, "normal")
    assert (options.sizes, options.tier, options.search) == (kept.sizes, kept.tier, kept.search)
    assert (options.strategies, options.target) == (kept.strategies, kept.target)
    assert encode("--strategy", "auto").strategies == ()


def test_a_target_on_the_command_line_replaces_the_presets(encode: Any) -> None:
    assert encode("--bitrate", "1M").target == BitrateTarget(1e6)
    assert encode("--quality", "0").target == QualityTarget(0.0)
    worst = encode("--target-scope", "worst").target
    assert worst == MetricTarget(Metric.PSNR, 40.0, Scope.WORST)


def test_settings_that_say_nothing_leave_what_is_usual(encode: Any, tmp_path: Path) -> None:
    path = tmp_path / "plain.toml"
    write_preset(path, EncodeSettings(TargetSpec("ssim", 0.9)))
    assert encode(preset=path) == encode_options(EncodeSettings(TargetSpec("ssim", 0.9)))


def test_a_preset_that_is_none_is_bad_input(encode: Any, tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    assert str(path) in encode(preset=path, expected=3)
    path.write_text("schema = 1\nshutter = 3\n" + TARGET)
    message = encode(preset=path, expected=3)
    assert str(path) in message
    assert "shutter" in message


def test_a_tier_that_cannot_be_encoded_yet_is_a_usage_error(encode: Any, tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    write_preset(path, EncodeSettings(TargetSpec("ssim", 0.9), tier="max"))
    assert "--tier" in encode(preset=path, expected=2)
