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
from edgecodec.cli._arguments import bits_per_second, check_output
from edgecodec.cli._output import print_json, progress_bar
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
    assert capfd.readouterr() == ("", "")


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
