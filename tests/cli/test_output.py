from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from pathlib import Path

import pytest
import typer
from edgecodec.cli._arguments import (
    bits_per_second,
    byte_size,
    check_output,
    codec_list,
    strategy_list,
)
from edgecodec.cli._output import print_json, progress_bar, time_left
from edgecodec.runtime.chunks import Codec, StrategyId
from hypothesis import given
from hypothesis import strategies as st


class Kind(IntEnum):
    FIRST_KIND = 1


@dataclass(frozen=True)
class Pair:
    kind: Kind
    rate: Fraction


def test_json_holds_what_the_parts_report(capsys: pytest.CaptureFixture[str]) -> None:
    value = {
        "pair": (Pair(Kind.FIRST_KIND, Fraction(30000, 1001)),),
        "psnr": math.inf,
        "at": Path("a"),
    }
    print_json(value)
    assert json.loads(capsys.readouterr().out) == {
        "pair": [{"kind": "first_kind", "rate": "30000/1001"}],
        "psnr": None,
        "at": "a",
    }


def test_json_refuses_what_it_would_have_to_guess() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        print_json({"what": object()})


def test_off_a_terminal_progress_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar("work") as show:
        show(0.5, "half")
        show(0.7, "more", 130.0)
    assert capfd.readouterr() == ("", "")


def test_on_a_terminal_progress_tells_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress_bar("work") as show:
        show(0.5, "trials [scene 2]", 130.0)
    drawn = capfd.readouterr()
    assert drawn.out == ""
    assert "2:10 left" in drawn.err
    assert "trials [scene 2]" in drawn.err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (130.0, "2:10 left"),
        (59.2, "1:00 left"),
        (0.0, "0:00 left"),
        (-3.0, "0:00 left"),
        (3730.0, "1:02:10 left"),
        (None, ""),
        (math.inf, ""),
        (math.nan, ""),
    ],
)
def test_time_left_reads_as_a_clock(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == text


@pytest.mark.parametrize(
    ("text", "rate"),
    [("1M", 1e6), ("800k", 8e5), ("1.5M", 1.5e6), ("64000", 64000), ("0.2m", 2e5), (".5G", 5e8)],
)
def test_a_bitrate_is_read(text: str, rate: float) -> None:
    assert bits_per_second(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["", "fast", "-1M", "0", "0k", "1 Mb/s", "1e6", "nan", "1MM", "M"])
def test_what_is_no_bitrate_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a bitrate"):
        bits_per_second(text)


@given(st.text(max_size=12))
def test_any_text_is_a_positive_bitrate_or_refused(text: str) -> None:
    with suppress(typer.BadParameter):
        assert bits_per_second(text) > 0


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20MB", 20_000_000),
        ("700k", 700_000),
        ("1.5MiB", 1_572_864),
        ("123456", 123_456),
        ("2 ", 2),
        ("1Gi", 2**30),
        (".5kb", 500),
        ("10b", 10),
        ("1.9999k", 1999),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert byte_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "big", "-1M", "0", "0.4", "1 MB", "1e6", "20MBB", "MiB", "1i", "9" * 40, "5TB"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a size"):
        byte_size(text)


@given(st.text(max_size=12))
def test_any_text_is_a_positive_size_or_refused(text: str) -> None:
    with suppress(typer.BadParameter):
        assert byte_size(text) > 0


def test_lists_name_what_they_hold_once_and_in_order() -> None:
    assert codec_list("vvc, AV1,vvc") == (Codec.VVC, Codec.AV1)
    assert codec_list("all") == tuple(Codec)
    assert strategy_list("procedural,classical") == (StrategyId.PROCEDURAL, StrategyId.CLASSICAL)
    assert strategy_list("auto") == tuple(StrategyId)


@pytest.mark.parametrize("text", ["auto,classical", "magic", "", ",", "classical;procedural"])
def test_an_unknown_strategy_lists_the_known_ones(text: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        strategy_list(text)
    for strategy in StrategyId:
        assert strategy.name.lower() in refused.value.message


def test_an_unknown_codec_lists_the_known_ones() -> None:
    with pytest.raises(typer.BadParameter, match=r"mpeg2.*known are av1, h265, h264, vvc"):
        codec_list("h264,mpeg2")


def test_an_output_is_refused_where_it_would_hurt(tmp_path: Path) -> None:
    source, other = tmp_path / "in.mp4", tmp_path / "other.ecv"
    source.touch()
    other.touch()
    (tmp_path / "link.ecv").symlink_to(source)
    check_output(tmp_path / "new.ecv", source, overwrite=False)
    check_output(other, source, overwrite=True)
    for output, overwrite, why in (
        (other, False, "--force"),
        (source, True, "the input itself"),
        (tmp_path / "link.ecv", True, "the input itself"),
        (tmp_path, True, "is a folder"),
        (tmp_path / "none" / "out.ecv", True, "no folder"),
    ):
        with pytest.raises(typer.BadParameter, match=why):
            check_output(output, source, overwrite=overwrite)
