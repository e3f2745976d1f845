"""Streams that later versions must still play: `python -m tests.runtime.golden_streams` in the root
writes those of this format version anew. Only a new format version, or networks that were replaced
before any release had them, are a reason to."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

from edgecodec import runtime
from edgecodec.runtime import PictureFormat
from edgecodec.runtime.container import Codec, Reader
from edgecodec.runtime.payloads import ClassicalBody, HybridBody, LatentBody, parse_body
from edgecodec.runtime.scenes import latent_shape

from ..conftest import draw
from .ecv_samples import decode_latents
from .filter_samples import fixed_filter
from .streams import Scene, classical, every_strategy, hybrid, stream_of, title_weights

GOLDEN = Path(__file__).parent / "golden"
SMALL = PictureFormat(64, 48)
DEEP = PictureFormat(65, 47, 10)


def make() -> dict[str, bytes]:
    """By name: every strategy and title weights in 8 bits; every codec in 10, at an odd size; every
    use of a filter."""
    scenes = every_strategy(draw, SMALL)
    filters = [filtered(scenes[name]) for name in ("classical", "hybrid_semantic", "upsampled")]
    scenes["title"] = hybrid(draw(SMALL, 3), SMALL, (True, True, False), title=0)
    deep = [classical(draw(DEEP, 3), DEEP, codec) for codec in Codec]
    return {
        "strategies_1": stream_of(list(scenes.values()), SMALL, titles=[title_weights()]),
        "codecs_1": stream_of(deep, DEEP),
        "filters_1": stream_of(filters, SMALL),
    }


def filtered(scene: Scene) -> Scene:
    """The same with a filter of Y, U and V."""
    assert isinstance(scene.body, ClassicalBody | HybridBody)
    return replace(scene, body=replace(scene.body, filter=fixed_filter()))


def describe(data: bytes) -> dict[str, object]:
    """MD5 of every frame's samples, and of every latent's symbols in decoding order."""
    with runtime.open(io.BytesIO(data), threads=1) as video:
        frames = [
            hashlib.md5(b"".join(plane.tobytes() for plane in frame.planes)).hexdigest()
            for frame in video
        ]
    return {"sha256": hashlib.sha256(data).hexdigest(), "frames": frames, "symbols": symbols(data)}


def symbols(data: bytes) -> list[str]:
    reader = Reader(io.BytesIO(data))
    found = []
    for entry in reader.index:
        chunk = reader.chunk(entry)
        body = parse_body(chunk.strategy, chunk.body, entry.frames)
        if isinstance(body, LatentBody):
            latents = decode_latents(body, latent_shape(reader.header.format))
            found += [hashlib.md5(each.symbols.tobytes()).hexdigest() for each in latents]
    return found


def main() -> None:
    for name, data in make().items():
        (GOLDEN / f"{name}.ecv").write_bytes(data)
        (GOLDEN / f"{name}.json").write_text(json.dumps(describe(data), indent=1) + "\n")


if __name__ == "__main__":
    main()
