"""A bounded cache that processes share."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from edgecodec.orchestrator.media import MediaStore, open_media
from edgecodec.orchestrator.media.cache import MediaCache
from edgecodec.runtime.errors import DispatchError

KB = 1000


class Shelf:
    """A store with clips of 1 kB each, named by letters."""

    def __init__(self, folder: Path) -> None:
        self.store: MediaStore = open_media(str(folder / "store"))
        self.sha256: dict[str, str] = {}
        for letter in "abcde":
            path = folder / letter
            path.write_bytes(letter.encode() * KB)
            self.sha256[letter] = self.store.put(path, letter).sha256
            path.unlink()

    def kept(self, cache: MediaCache) -> str:
        files = {path.name for path in (cache.folder / "files").iterdir()}
        return "".join(letter for letter, each in self.sha256.items() if each in files)

    def read(self, cache: MediaCache, letters: str) -> None:
        for letter in letters:
            with cache.fetch(letter, self.sha256[letter]) as path:
                assert path.read_bytes() == letter.encode() * KB


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def cache(shelf: Shelf, tmp_path: Path) -> MediaCache:
    return MediaCache(shelf.store, tmp_path / "cache", 3 * KB)


def test_a_file_is_fetched_once(shelf: Shelf, cache: MediaCache) -> None:
    shelf.read(cache, "a")
    shelf.store.delete("a")
    shelf.read(cache, "a")


def test_the_least_recently_used_goes_first(shelf: Shelf, cache: MediaCache) -> None:
    shelf.read(cache, "abca")
    shelf.read(cache, "d")
    assert shelf.kept(cache) == "acd"
    shelf.read(cache, "e")
    assert shelf.kept(cache) == "ade"


def test_what_is_in_use_stays(shelf: Shelf, cache: MediaCache) -> None:
    with cache.fetch("a", shelf.sha256["a"]) as path:
        shelf.read(cache, "bcde")
        assert path.read_bytes() == b"a" * KB
        assert "a" in shelf.kept(cache)
    shelf.read(cache, "bcd")
    assert shelf.kept(cache) == "bcd"


def test_one_file_may_be_in_use_twice(shelf: Shelf, cache: MediaCache) -> None:
    with cache.fetch("a", shelf.sha256["a"]) as first:
        with cache.fetch("a", shelf.sha256["a"]) as second:
            assert first == second
        shelf.read(cache, "bcde")
        assert first.exists()


def test_no_room_says_how_much_is_needed(shelf: Shelf, cache: MediaCache, tmp_path: Path) -> None:
    small = MediaCache(shelf.store, tmp_path / "small", KB - 1)
    with pytest.raises(DispatchError, match=r"a: it needs 1,000 bytes.*hold 999.*--cache-size"):
        shelf.read(small, "a")
    a, b = (cache.fetch(each, shelf.sha256[each]) for each in "ab")
    with a, b, cache.fetch("c", shelf.sha256["c"]):
        refused = pytest.raises(DispatchError, match="3,000 of them in use")
        with refused:
            shelf.read(cache, "d")
    shelf.read(cache, "d")


def test_a_changed_object_is_named_and_not_kept(shelf: Shelf, cache: MediaCache) -> None:
    forged = cache.fetch("b", shelf.sha256["a"])
    with pytest.raises(DispatchError, match="b has changed"), forged:
        pass
    assert shelf.kept(cache) == ""
    assert list((cache.folder / "incoming").iterdir()) == []
    assert list((cache.folder / "pins").iterdir()) == []


@pytest.mark.parametrize("sha256", ["", "../../x", "A" * 64, "a" * 63])
def test_a_hash_that_is_none_is_refused(cache: MediaCache, sha256: str) -> None:
    with pytest.raises(DispatchError, match="is no SHA-256"), cache.fetch("a", sha256):
        pass


def test_a_file_that_the_store_lacks_is_named(shelf: Shelf, cache: MediaCache) -> None:
    absent = cache.fetch("z", shelf.sha256["a"])
    with pytest.raises(DispatchError, match="there is no z"), absent:
        pass


def test_a_full_disk_says_how_much_is_needed(shelf: Shelf, tmp_path: Path) -> None:
    # A limit on a file's length stands for the disk: the same error from the same call.
    script = f"""
import resource, signal
from pathlib import Path
from edgecodec.orchestrator.media import open_media
from edgecodec.orchestrator.media.cache import MediaCache
from edgecodec.runtime.errors import DispatchError
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
cache = MediaCache(open_media({shelf.store.url!r}), Path({str(tmp_path / "full")!r}), 10_000)
try:
    with cache.fetch("a", {shelf.sha256["a"]!r}):
        raise SystemExit("it fitted")
except DispatchError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "it needs 1,000 bytes, but the disk is full" in done.stdout
    left = [path for path in (tmp_path / "full").rglob("*") if path.is_file()]
    assert all(path.parent.name == "locks" for path in left)


def test_what_a_killed_process_held_and_half_fetched_is_free_again(
    shelf: Shelf, cache: MediaCache
) -> None:
    script = f"""
import time
from pathlib import Path
from edgecodec.orchestrator.media import open_media
from edgecodec.orchestrator.media.cache import MediaCache
class Slow:
    def __init__(self, store): self.store, self.url, self.size = store, store.url, store.size
    def get(self, name, path):
        if name == "b":
            path.write_bytes(b"half")
            print("ready", flush=True)
            time.sleep(300)
        self.store.get(name, path)
cache = MediaCache(Slow(open_media({shelf.store.url!r})), Path({str(cache.folder)!r}), 3000)
with cache.fetch("a", {shelf.sha256["a"]!r}), cache.fetch("b", {shelf.sha256["b"]!r}):
    pass
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            # It holds `a` and room for `b`: one more fits, not two.
            shelf.read(cache, "c")
            shelf.read(cache, "d")
            assert shelf.kept(cache) == "ad"
            # And nobody waits for it for ever.
            impatient = MediaCache(cache.store, cache.folder, cache.limit_bytes, wait_s=0.1)
            with pytest.raises(DispatchError, match=r"waited 0\.1 s for another process"):
                shelf.read(impatient, "b")
        finally:
            os.kill(process.pid, signal.SIGKILL)
    shelf.read(cache, "bce")
    assert shelf.kept(cache) == "bce"
    assert list((cache.folder / "incoming").iterdir()) == []
    assert list((cache.folder / "pins").iterdir()) == []


def test_threads_and_processes_at_once(shelf: Shelf, cache: MediaCache) -> None:
    script = f"""
import random, sys
from pathlib import Path
from edgecodec.orchestrator.media import open_media
from edgecodec.orchestrator.media.cache import MediaCache
cache = MediaCache(open_media({shelf.store.url!r}), Path({str(cache.folder)!r}), 3000)
known = {shelf.sha256!r}
order = random.Random(int(sys.argv[1]))
for _ in range(60):
    letter = order.choice("abcde")
    with cache.fetch(letter, known[letter]) as path:
        assert path.read_bytes() == letter.encode() * 1000
    held = sum(each.stat().st_size for each in (cache.folder / "files").iterdir() if each.exists())
    assert held <= 3000, held
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(each)], stderr=subprocess.PIPE)
        for each in range(2)
    ]
    threads = [threading.Thread(target=shelf.read, args=(cache, "a" * 20)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for process in processes:
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 0, said.decode()
    assert all(
        hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        for path in (cache.folder / "files").iterdir()
    )


def test_many_callers_fetch_a_file_once(shelf: Shelf, tmp_path: Path) -> None:
    class Counting:
        def __init__(self, store: MediaStore) -> None:
            self.url, self.size, self._get = store.url, store.size, store.get
            self.fetched: list[str] = []

        def get(self, name: str, path: Path) -> None:
            self.fetched.append(name)
            self._get(name, path)

    counting = Counting(shelf.store)
    cache = MediaCache(counting, tmp_path / "shared", 3 * KB)  # type: ignore[arg-type]
    threads = [threading.Thread(target=shelf.read, args=(cache, "ab")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(counting.fetched) == ["a", "b"]
