"""Make a checkpoint of published weights, so that training goes on from them on any machine.

    python -m edgecodec.encoder.training.gather LIGHT ANALYSIS PRIORS RUN.pt

The folders are those that `training.iframe --publish` wrote; `--start RUN.pt` there begins a new
schedule. What rounding for INT8 arithmetic took from the decoder comes back in some hundred steps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from ...decoder import load
from ...runtime.array_file import read_arrays
from ...runtime.errors import ModelError
from ...runtime.prior import Prior
from ..analysis import load_analysis
from ..script import run_script
from .checkpoint import Progress, save_checkpoint
from .prior_net import PriorNet


def gather(light: Path, analysis: Path, priors: Path, tier: str, checkpoint: Path) -> None:
    """Write `checkpoint` of a tier's I-frame decoder, its analysis network and its prior.

    Raises ModelError, and writes nothing, where a file is missing or is not of that tier.
    """
    decoder = light / f"iframe_decoder-{tier}.safetensors"
    undone = analysis / f"analysis_i-{tier}.safetensors"
    try:
        networks: dict[str, nn.Module] = {
            "iframe_decoder": load("iframe_decoder", tier, decoder).module,
            "analysis_i": load_analysis("analysis_i", tier, undone),
        }
    except (OSError, RuntimeError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise ModelError(f"no weights of tier {tier}: {first_line}") from error
    arrays = read_arrays(priors / f"{tier}-i.npz", "prior")
    Prior.from_arrays(arrays)
    networks["prior_i"] = PriorNet.from_arrays(arrays)
    parameters = [each for network in networks.values() for each in network.parameters()]
    save_checkpoint(checkpoint, networks, torch.optim.Adam(parameters), Progress())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("light", type=Path, help="folder of the device's weights")
    parser.add_argument("analysis", type=Path, help="folder of the analysis network's weights")
    parser.add_argument("priors", type=Path, help="folder of priors")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tier", default="edge")
    asked = parser.parse_args()
    gather(asked.light, asked.analysis, asked.priors, asked.tier, asked.checkpoint)
    print(f"{asked.checkpoint}: {asked.checkpoint.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    run_script(main)
