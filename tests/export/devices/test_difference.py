"""How far two runs of a network are apart."""

from __future__ import annotations

import numpy as np
import pytest
from edgecodec.export.devices import Difference, compare
from edgecodec.runtime.errors import ExportError


def test_equal_outputs_do_not_differ() -> None:
    output = {"y": np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2)}
    assert compare(output, {"y": output["y"].copy()}) == Difference(0.0, 0, 0.0)
    assert compare(output, output).identical


def test_all_outputs_count_and_steps_do_not_wrap_around() -> None:
    expected = {"a": np.array([0, 255], np.uint8), "b": np.array([[10, 10]], np.uint8)}
    actual = {"b": np.array([[10, 9]], np.uint8), "a": np.array([255, 255], np.uint8)}
    assert compare(actual, expected) == Difference(0.5, 255, 64.0)
    assert not compare(actual, expected).identical


def test_outputs_of_another_name_or_shape_are_refused() -> None:
    output = {"y": np.zeros((1, 2), np.uint8)}
    with pytest.raises(ExportError, match="outputs are z, expected y"):
        compare({"z": output["y"]}, output)
    with pytest.raises(ExportError, match=r"'y' has the shape \[2, 1\], expected \[1, 2\]"):
        compare({"y": output["y"].T}, output)


def test_no_values_do_not_differ() -> None:
    empty = {"y": np.zeros((1, 0), np.uint8)}
    assert compare(empty, empty).identical
