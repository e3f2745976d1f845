"""Where INT8 sums may saturate."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.runtime.cpu import may_saturate


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("sse2 avx2", True), ("avx2 avx512_vnni", False), ("avx2 avx_vnni fma", False)],
)
def test_x64_saturates_unless_it_has_vnni(tmp_path: Path, flags: str, expected: bool) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\n")
    assert may_saturate("x86_64", cpuinfo) is expected
    assert not may_saturate("aarch64", cpuinfo)


def test_where_it_cannot_be_told_exactness_comes_first(tmp_path: Path) -> None:
    assert may_saturate("AMD64", tmp_path / "missing")
