"""The fit's report: what it reached, on what, and how that was found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np

from ..fitted import FitError
from .devices import DEVICES, Device
from .model import DEVICE, Array, Variant
from .parameters import titles
from .validate import COVERAGE, Validation, chosen_alone, covered, loneliness, places, summary

_LARGE = (
    *("unet_segmentation", "ffnet_78s", "ffnet_54s", "ffnet_40s", "fcn_resnet50"),
    *("ffnet_78s_lowres", "ffnet_122ns_lowres"),
)
_SHOWN = 6
COMMAND = (
    "python -m edgecodec.profiles.fitting DATA --parameters profiles/parameters"
    " --report profiles/fitting/report.md"
)


def report(
    validations: Mapping[str, Validation],
    variants: Mapping[Variant, Array],
    decoder: Mapping[str, tuple[float, float]],
    efficiency: Mapping[str, float],
) -> str:
    """Markdown.

    `variants`: `single_errors` of each variant in w8a8, the shipped one first. `decoder`: lowest
    and highest predicted / measured of the image decoder that no fit saw, by device.
    """
    whole = validations["w8a8"]
    parts = [
        "# The fit\n",
        f"Made by `{COMMAND}`. Do not edit.\n",
        "Each network's error is that of a fit to all the others (leave one out); *family* leaves"
        " out its whole family as well. Ratios are predicted / measured.\n",
        *(_precision_part(name, validation) for name, validation in validations.items()),
        _intervals(validations),
        _variants(variants, whole),
        _decoder(decoder),
        _labels(efficiency),
        *(_networks(name, validation) for name, validation in validations.items()),
    ]
    return "\n".join(parts)


def _precision_part(precision: str, validation: Validation) -> str:
    rows = []
    values = np.exp(validation.solution.device)
    for row, device in enumerate(_devices(validation)):
        figures = dict(zip(DEVICE, values[row], strict=True))
        single, family = summary(validation.single[row]), summary(validation.family[row])
        rows.append(
            f"| {device.title} | {single.networks} | {figures['dense_tops']:.1f} |"
            f" {figures['vector_gbps']:.0f} | {figures['dram_gbps']:.0f} |"
            f" {figures['spill']:.2f} | {figures['per_op_us']:.2f} | {figures['fixed_us']:.0f} |"
            f" {_errors(single)} | {_errors(family)} |"
        )
    structure = asdict(validation.model.structure(validation.solution.shared))
    shared = ", ".join(f"`{name}` {value:.3g}" for name, value in structure.items())
    return (
        f"## {precision}\n\n"
        "| device | networks | dense TOPS | vector GB/s | DRAM GB/s | spill | us per op |"
        " us per call | median | P10-P90 | within 1.5x | family: median | P10-P90 | within 1.5x |\n"
        f"|---|{'--:|' * 13}\n" + "\n".join(rows) + f"\n\nShared by all devices: {shared}.\n"
    )


def _errors(error: FitError) -> str:
    return f"{error.median:.1%} | {error.p10:.2f}-{error.p90:.2f} | {error.within_1_5x:.0%}"


def _intervals(validations: Mapping[str, Validation]) -> str:
    rows = []
    for precision, validation in validations.items():
        distances = loneliness(places(validation.model.networks))
        single, family = [], []
        for own, kin in zip(validation.single, validation.family, strict=True):
            single.append(covered(own, own, distances))
            family.append(covered(own, kin, distances))
        rank = _rank_correlation(np.nanmean(np.abs(validation.single), axis=0), distances)
        rows.append(
            f"| {precision} | {np.concatenate(single).mean():.0%} |"
            f" {np.concatenate(family).mean():.0%} | {rank:+.2f} |"
        )
    return (
        "## Intervals\n\n"
        f"Meant to hold {COVERAGE:.0%}. Each network was tested against an interval made from the"
        " other networks of its device; *family*: with its prediction by a fit without its"
        " family. Last: rank correlation of a network's error with its distance from the others.\n"
        "\n| precision | held | held, family | error against distance |\n|---|--:|--:|--:|\n"
        + "\n".join(rows)
        + "\n"
    )


def _rank_correlation(a: Array, b: Array) -> float:
    ranks = [values.argsort().argsort().astype(float) for values in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _variants(variants: Mapping[Variant, Array], validation: Validation) -> str:
    devices = _devices(validation)[:2]
    rows = [_variant_row(str(variant), errors) for variant, errors in variants.items()]
    judged = [errors for variant, errors in variants.items() if variant.normalisation]
    nested, _ = chosen_alone(judged)
    rows.append(_variant_row("the padding chosen without the network that is judged", nested))
    names = " | ".join(f"{device.file}: median | within 1.5x" for device in devices)
    return (
        "## What was chosen, w8a8\n\nThe first is shipped.\n\n"
        f"| variant | {names} | all devices: median | within 1.5x |\n|---|{'--:|' * 6}\n"
        + "\n".join(rows)
        + "\n"
    )


def _variant_row(name: str, errors: Array) -> str:
    cells = [summary(part) for part in (errors[0], errors[1], errors)]
    return (
        f"| {name} | "
        + " | ".join(f"{each.median:.1%} | {each.within_1_5x:.0%}" for each in cells)
        + " |"
    )


def _decoder(decoder: Mapping[str, tuple[float, float]]) -> str:
    rows = [f"| {name} | {low:.2f}-{high:.2f} |" for name, (low, high) in decoder.items()]
    return (
        "## An image decoder that no fit saw\n\n"
        "The VAE decoder of Stable Diffusion 1.5 and 2.1 and of ControlNet, 4x64x64 to 3x512x512,"
        " 1,257 GMAC, w8a16, run as a context binary and by ONNX Runtime from one:"
        " predicted / measured.\n\n| device | ratio |\n|---|--:|\n" + "\n".join(rows) + "\n"
    )


def _labels(efficiency: Mapping[str, float]) -> str:
    rows = [f"| {name} | {share:.0%} |" for name, share in efficiency.items()]
    return (
        "## Dense TOPS over the label\n\n| device | share |\n|---|--:|\n" + "\n".join(rows) + "\n"
    )


def _networks(precision: str, validation: Validation) -> str:
    devices = _devices(validation)[:_SHOWN]
    order = np.argsort(np.nanmedian(validation.single[: len(devices)], axis=0))
    lines = []
    for index in order:
        network = validation.model.networks[index]
        ratios = np.exp(validation.single[: len(devices), index])
        cells = " | ".join("-" if np.isnan(ratio) else f"{ratio:.2f}" for ratio in ratios)
        large = " *" if network.name in _LARGE else ""
        lines.append(f"| {network.name}{large} | {network.input.removeprefix('1x')} | {cells} |")
    heads = " | ".join(device.file for device in devices)
    return (
        f"## Every network, {precision}\n\nPredicted / measured, leave one out; * are inputs of"
        f" more than 0.25 megapixels.\n\n| network | input | {heads} |\n"
        f"|---|---|{'--:|' * len(devices)}\n" + "\n".join(lines) + "\n"
    )


def _devices(validation: Validation) -> Sequence[Device]:
    return titles(DEVICES, validation.latencies.devices)
