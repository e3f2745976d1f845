"""The cache of stages' results: whole or not at all, whoever else uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from edgecodec.export import cache
from edgecodec.export.cache import Cache, Product, default_cache_folder

KEY = "ab" + 62 * "0"
PRODUCT = Product({"model.onnx": b"\x08\x0a" * 1000, "note.txt": b"removed"})

WRITER = """
import importlib.util, sys
from pathlib import Path

# By itself: the package around it takes seconds to load.
spec = importlib.util.spec_from_file_location("cache", sys.argv[3])
sys.modules["cache"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from cache import Cache, Product

cache = Cache(Path(sys.argv[1]))
for turn in range(40):
    cache.write(sys.argv[2], Product({"model.onnx": bytes([turn % 256]) * 50_000}))
    read = cache.read(sys.argv[2])
    assert read is not None
    data = read.files["model.onnx"]
    assert len(data) == 50_000 and len(set(data)) == 1, "half a file"
"""


def test_what_was_written_is_read(tmp_path: Path) -> None:
    kept = Cache(tmp_path / "deep" / "cache")
    assert kept.read(KEY) is None
    kept.write(KEY, PRODUCT)
    assert kept.read(KEY) == PRODUCT
    assert kept.read("cd" + 62 * "0") is None
    # Programs that make backups leave it out.
    assert (kept.folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_entry_counts_as_absent(tmp_path: Path, damage: str) -> None:
    kept = Cache(tmp_path)
    kept.write(KEY, PRODUCT)
    (file,) = tmp_path.glob("*/*.zip")
    data = bytearray(file.read_bytes())
    if damage == "flipped":
        data[500] ^= 1
    file.write_bytes(b"" if damage == "empty" else data if damage == "flipped" else data[:900])
    assert kept.read(KEY) is None
    kept.write(KEY, PRODUCT)
    assert kept.read(KEY) == PRODUCT


def test_two_processes_may_write_and_read_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), KEY, str(cache.__file__)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]
    results = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], results
    assert list(tmp_path.glob("*/*.part")) == []


def test_a_folder_that_cannot_be_written_keeps_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    kept = Cache(tmp_path / "file" / "cache")
    kept.write(KEY, PRODUCT)
    kept.prune()
    assert kept.read(KEY) is None


def test_what_was_used_least_recently_is_forgotten_first(tmp_path: Path) -> None:
    keys = [f"{number:02}{62 * '0'}" for number in range(4)]
    for number, key in enumerate(keys):
        Cache(tmp_path).write(key, PRODUCT)
        os.utime(tmp_path / key[:2] / f"{key}.zip", (number, number))
    size = (tmp_path / "00" / f"{keys[0]}.zip").stat().st_size
    assert Cache(tmp_path).read(keys[0]) == PRODUCT  # and so it is the last one used
    Cache(tmp_path, max_bytes=2 * size).prune()
    assert [Cache(tmp_path).read(key) is not None for key in keys] == [True, False, False, True]


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    kept = Cache(tmp_path)
    kept.write(KEY, PRODUCT)
    old, fresh = (tmp_path / "ab" / f".{KEY}.{name}.part" for name in ("old", "fresh"))
    for part in (old, fresh):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    kept.prune()
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_digest_is_of_names_and_contents() -> None:
    same = Product(dict(reversed(PRODUCT.files.items())))
    assert same.digest == PRODUCT.digest
    swapped = Product({"model.onnx": b"removed", "note.txt": PRODUCT.files["model.onnx"]})
    assert len({PRODUCT.digest, swapped.digest, Product({}).digest}) == 3


def test_the_environment_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGECODEC_CACHE", str(tmp_path))
    assert default_cache_folder() == tmp_path
    monkeypatch.delenv("EDGECODEC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert "edgecodec" in default_cache_folder().parts
