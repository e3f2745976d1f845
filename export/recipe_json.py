"""Recipes as JSON: in manifests, and between the stages of an export."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from .quantization import Activations, Arithmetic, LayerPrecision, Preset, Recipe


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """JSON types, the digest with them."""
    return {
        "digest": recipe.digest(),
        "preset": {name: value for name, value in dataclasses.asdict(recipe.preset).items()},
        "ranges": {name: list(recipe.ranges[name]) for name in recipe.ranges},
        "precision": {name: value.value for name, value in recipe.precision.items()},
        "bias_corrections": {n: list(values) for n, values in recipe.bias_corrections.items()},
    }


def recipe_from_dict(data: Mapping[str, Any]) -> Recipe:
    """The inverse of `recipe_to_dict`."""
    preset = data["preset"]
    return Recipe(
        preset=Preset(
            name=preset["name"],
            activations=Activations(preset["activations"]),
            per_channel=preset["per_channel"],
            quantized_bias=preset["quantized_bias"],
            arithmetic=Arithmetic(preset["arithmetic"]),
            promotion=LayerPrecision(preset["promotion"]),
        ),
        ranges={name: (low, high) for name, (low, high) in data["ranges"].items()},
        precision={name: LayerPrecision(value) for name, value in data["precision"].items()},
        bias_corrections={n: tuple(values) for n, values in data["bias_corrections"].items()},
    )


def recipe_bytes(recipe: Recipe) -> bytes:
    """The text of `recipe_to_dict`."""
    return json.dumps(recipe_to_dict(recipe)).encode()


def recipe_from_bytes(data: bytes) -> Recipe:
    """The inverse of `recipe_bytes`."""
    return recipe_from_dict(json.loads(data))
