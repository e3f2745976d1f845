"""Two reports of `edgecodec profile --json` beside each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.errors import ProfileFileError
from .report import FORMAT

DIFF_HEADINGS = ("what", "A", "B", "B / A")
_UNITS = (("macs", "MAC"), ("parameters", "parameters"), ("activation_bytes", "activation bytes"))


@dataclass(frozen=True)
class DiffRow:
    """A number of both reports; None where one of them has none."""

    what: str
    first: float | None
    second: float | None

    @property
    def ratio(self) -> float | None:
        """Second over first; None where that cannot be told."""
        if self.first is None or self.second is None or self.first == 0:
            return None
        return self.second / self.first


@dataclass(frozen=True)
class Difference:
    """What two reports differ in: `notes` in words, `rows` in numbers, equal ones too."""

    notes: tuple[str, ...]
    rows: tuple[DiffRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON types."""
        rows = [
            {"what": row.what, "a": row.first, "b": row.second, "ratio": row.ratio}
            for row in self.rows
        ]
        return {"notes": list(self.notes), "rows": rows}


def diff_reports(first: Path, second: Path) -> Difference:
    """Compare two files that `edgecodec profile --json` wrote.

    Raises `ProfileFileError` where a file is not readable or no such report.
    """
    a, b = _read(first), _read(second)
    return Difference(tuple(_notes(a, b)), tuple(_rows(a, b)))


def difference_cells(row: DiffRow) -> tuple[str, ...]:
    """A number's line under `DIFF_HEADINGS`."""
    values = ("-" if value is None else f"{value:,.5g}" for value in (row.first, row.second))
    return row.what, *values, "-" if row.ratio is None else f"x{row.ratio:.3f}"


def _read(file: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileFileError(f"{file}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ProfileFileError(f"{file}: not JSON: {error}") from error
    networks = data.get("networks") if isinstance(data, dict) else None
    if not isinstance(networks, list) or data.get("format") != FORMAT:
        raise ProfileFileError(
            f"{file}: no report of format {FORMAT}: write one with `edgecodec profile --json"
            " > FILE` (not with --all)"
        )
    return dict(data)


def _notes(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[str]:
    for key in ("device", "tier", "size", "target_fps", "sustained", "models"):
        if _text(a.get(key)) == _text(b.get(key)):
            yield f"{key}: {_text(a.get(key))} in both"
        else:
            yield f"{key}: {_text(a.get(key))} in A, {_text(b.get(key))} in B"
    yield f"verdict: {a.get('verdict')} in A, {b.get('verdict')} in B"
    names_a, names_b = _networks(a), _networks(b)
    for report, only in (("A", names_a.keys() - names_b), ("B", names_b.keys() - names_a)):
        if only:
            yield f"only in {report}: {', '.join(sorted(only))}"


def _rows(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[DiffRow]:
    for key, what in (("fps", "frames/s"), ("tops_per_frame", "tera-operations a frame")):
        yield DiffRow(what, a.get(key), b.get(key))
    networks_a, networks_b = _networks(a), _networks(b)
    for name in (name for name in networks_a if name in networks_b):
        one, other = networks_a[name], networks_b[name]
        for key, what in _UNITS:
            yield DiffRow(f"{name}: {what}", one.get(key), other.get(key))
        for kind, quantiles in (
            ("predicted_ms", ("low", "mid", "high")),
            ("measured_ms", ("p50", "p90", "p99")),
        ):
            times_a, times_b = one.get(kind) or {}, other.get(kind) or {}
            for each in quantiles if times_a or times_b else ():
                what = f"{name}: {kind.removesuffix('_ms')} {each}, ms"
                yield DiffRow(what, times_a.get(each), times_b.get(each))


def _networks(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(network["name"]): network for network in report["networks"]}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "x".join(str(each) for each in value.values())
    return "none" if value is None else str(value)
