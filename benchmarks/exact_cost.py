"""What INT8 costs in picture quality, and what rounding to outputs takes of that.

    python benchmarks/exact_cost.py --calibrate CLIP... [--clip CLIP...] [--tier nano]
                                    [--network NAME...] [--arithmetic fast exact] [--write DIR]
    python benchmarks/exact_cost.py --tier edge --network iframe_decoder --pack PACK... --crops 150

For each network, on frames of `--clip` (default: the demo clip): PSNR (6 Y + U + V) / 8 of the
float network, and what INT8 loses of it in each arithmetic: with every weight at its nearest step,
and with steps chosen on frames of `--calibrate`, or for an I-frame decoder on crops of `--pack`
(`make_packs pictures`), each at a random quality. Prints a Markdown table. `--write` leaves the
weights of the last as DIR/NETWORK-TIER.safetensors, in half precision where that is enough to find
the integers again: `edgecodec export --int8 --weights DIR`, with --exact or --fast, does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from edgecodec.decoder.networks import NetworkSpec, network_names, spec
from edgecodec.encoder.analysis import QUALITIES
from edgecodec.encoder.samples import Inputs, iframe_inputs, network_samples
from edgecodec.encoder.training.packs import PicturePack
from edgecodec.export import LossSample, demo_clips
from edgecodec.export.graph import set_metadata, to_bytes, to_onnx
from edgecodec.export.loss import float_psnr, int8_psnr
from edgecodec.export.quantization import (
    Arithmetic,
    Recipe,
    preset,
    quantize,
    round_to_outputs,
    uint8_boundary,
)
from edgecodec.export.weights import choose_networks, load_network
from onnx import numpy_helper
from safetensors.torch import save_file

_SEED = 3
# Of crops of 256x256 pixels: more would be cut off.
_CELLS = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibrate", type=Path, nargs="+", default=[])
    parser.add_argument("--pack", type=Path, nargs="+", default=[])
    parser.add_argument("--crops", type=int, default=150)
    parser.add_argument("--clip", type=Path, nargs="+", default=list(demo_clips()))
    parser.add_argument("--tier", default="nano")
    parser.add_argument("--network", nargs="+", choices=network_names(), default=[])
    parser.add_argument("--arithmetic", nargs="+", choices=("fast", "exact"), default=["exact"])
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    clips = network_samples(options.calibrate, options.tier)
    unseen = network_samples(options.clip, options.tier)
    kinds = [Arithmetic(each) for each in options.arithmetic]
    columns = [f"{kind.value} loses | {kind.value}, rounded to outputs" for kind in kinds]
    print(f"| network | float dB | {' | '.join(columns)} |")
    print(f"|---|---|{'---|' * 2 * len(kinds)}")
    for name in choose_networks(tuple(options.network), options.tier, None):
        network = spec(name, options.tier)
        model = rounded = float_graph(network)
        samples = unseen(name)
        floats = float_psnr(to_bytes(model), network, samples)
        losses: list[float] = []
        for kind in kinds:
            inputs = [sample.inputs for sample in clips(name)]
            if options.pack:
                inputs += crop_inputs(options.pack, options.crops, options.tier)
            rounded = round_to_outputs(model, network, recipe(kind), inputs)
            losses += (floats - measured(each, network, kind, samples) for each in (model, rounded))
        cells = " | ".join(f"{loss:.4f}" for loss in losses)
        print(f"| `{name}` | {floats:.3f} | {cells} |", flush=True)
        if options.write:
            options.write.mkdir(parents=True, exist_ok=True)
            halved = kinds[-1] is Arithmetic.FAST
            file = options.write / f"{name}-{options.tier}.safetensors"
            save_weights(rounded, file, halved=halved)


def crop_inputs(packs: Sequence[Path], count: int, tier: str) -> list[Inputs]:
    """Inputs of the I-frame decoder for random crops of packs of pictures."""
    random = np.random.default_rng(_SEED)
    crops = (255 * PicturePack(*packs).batch(random, count, _CELLS)).round().to(torch.uint8)
    qualities = random.integers(QUALITIES, size=count)
    pairs = zip(crops.numpy(), qualities.tolist(), strict=True)
    return list(iframe_inputs(((crop[None], quality) for crop, quality in pairs), tier))


def float_graph(network: NetworkSpec) -> onnx.ModelProto:
    trained = load_network(network.name, network.tier, None)
    graph = to_onnx(trained.module, network, None)
    return set_metadata(graph, {"network": network.name, "tier": network.tier})


def recipe(arithmetic: Arithmetic) -> Recipe:
    return Recipe(preset("cpu", arithmetic))


def measured(
    model: onnx.ModelProto,
    network: NetworkSpec,
    arithmetic: Arithmetic,
    samples: Sequence[LossSample],
) -> float:
    chosen = recipe(arithmetic)
    graph = uint8_boundary(quantize(model, network, chosen), network, chosen)
    return int8_psnr(to_bytes(graph), network, samples)


def save_weights(model: onnx.ModelProto, file: Path, *, halved: bool) -> None:
    """The parameters of a rounded graph under the names that torch has for them.

    An int8 weight survives half precision, which is off by less than a sixteenth of its step.
    """
    tensors = {
        i.name: torch.tensor(numpy_helper.to_array(i))
        for i in model.graph.initializer
        if i.name.endswith((".weight", ".bias"))
    }
    if halved:
        tensors |= {name: each.half() for name, each in tensors.items() if name.endswith("weight")}
    save_file(tensors, file)


if __name__ == "__main__":
    main()
