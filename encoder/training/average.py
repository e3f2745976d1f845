"""Average the weights of trainings that began at the same ones.

    python -m edgecodec.encoder.training.average ONE.safetensors OTHER.safetensors \
        --shares 0.4 0.6 --publish MEAN.safetensors

What each training learned of its own crops alone differs from one to the next and from what they
began with; an average keeps what they have in common (Wortsman et al., "Robust fine-tuning of
zero-shot models", 2022, and "Model soups", 2022). The curve beside the first file that has one goes
along.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ...runtime.errors import ModelError
from ..script import run_script
from .publish import write_file


def average(files: Sequence[Path], shares: Sequence[float]) -> dict[str, Tensor]:
    """The mean of the files' tensors, each file weighted by its share of the shares' sum.

    Raises ModelError for files that are no safetensors or not of one network, ValueError for shares
    that are not one a file, or that are not above 0 together.
    """
    if len(files) != len(shares) or not sum(shares) > 0:
        raise ValueError(f"{len(files)} files and the shares {list(shares)}: one each is wanted")
    mean: dict[str, Tensor] = {}
    for path, share in zip(files, shares, strict=True):
        try:
            tensors = load_file(path)
        except SafetensorError as error:
            raise ModelError(f"{path}: no safetensors: {error}") from error
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        if mean and shapes != {name: tensor.shape for name, tensor in mean.items()}:
            raise ModelError(f"{path}: weights of another network than those of {files[0]}")
        for name, tensor in tensors.items():
            part = tensor.double() * (share / sum(shares))
            mean[name] = mean[name] + part if name in mean else part
    return {name: tensor.float().contiguous() for name, tensor in mean.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE.safetensors")
    parser.add_argument("--shares", type=float, nargs="+", required=True, help="one for each file")
    parser.add_argument("--publish", type=Path, required=True, metavar="FILE.safetensors")
    asked = parser.parse_args()
    if len(asked.files) != len(asked.shares) or not sum(asked.shares) > 0:
        parser.error(f"--shares: {len(asked.files)} files want as many shares, above 0 together")
    write_file(asked.publish, save(average(asked.files, asked.shares)))
    for curve in (each.with_suffix(".curve.json") for each in asked.files):
        if curve.exists():
            shutil.copyfile(curve, asked.publish.with_suffix(".curve.json"))
            break


if __name__ == "__main__":
    run_script(main)
