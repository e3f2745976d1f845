"""Base layers on disk: kept exactly, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgecodec.encoder.base_store import BaseStore
from edgecodec.runtime.chunks import Codec
from edgecodec.runtime.errors import EdgecodecError
from edgecodec.runtime.payloads import BasePacket, BaseStream

LAYER = BaseStream(
    Codec.VVC,
    96,
    64,
    10,
    77,
    b"global\0header",
    (BasePacket(0, -1, True, b"a key\n"), BasePacket(1, 0, False, bytes(range(256)))),
)


class Encoder:
    """Makes the layer and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> BaseStream:
        self.made += 1
        return LAYER


def test_a_layer_is_made_once_and_comes_back_as_it_was(tmp_path: Path) -> None:
    encoder = Encoder()
    store = BaseStore(tmp_path / "new" / "folder")
    assert [store.get("key", 2, encoder) for _ in range(3)] == [LAYER] * 3
    assert BaseStore(store.folder).get("key", 2, encoder) == LAYER
    assert encoder.made == 1
    (path,) = store.folder.iterdir()
    assert path.suffix == ".base"
    store.get("other key", 2, encoder)
    assert encoder.made == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_what_is_damaged_is_made_again(tmp_path: Path, damage: str) -> None:
    encoder = Encoder()
    store = BaseStore(tmp_path)
    store.get("key", 2, encoder)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    path.write_bytes({"cut": whole[:-1], "flipped": flipped, "empty": b""}[damage])
    assert store.get("key", 2, encoder) == LAYER
    assert encoder.made == 2
    assert path.read_bytes() == whole


def test_a_layer_of_another_length_is_not_taken(tmp_path: Path) -> None:
    encoder = Encoder()
    store = BaseStore(tmp_path)
    store.get("key", 2, encoder)
    store.get("key", 3, encoder)
    assert encoder.made == 2


def test_what_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    def fails() -> BaseStream:
        raise EdgecodecError("the encoder failed")

    with pytest.raises(EdgecodecError, match="the encoder failed"):
        BaseStore(tmp_path).get("key", 2, fails)
    assert list(tmp_path.iterdir()) == []
