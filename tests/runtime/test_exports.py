"""What `edgecodec.runtime` says that it exports is what it exports."""

from __future__ import annotations

from types import ModuleType

import edgecodec.encoder
import edgecodec.runtime
import pytest


@pytest.mark.parametrize(
    "package", [edgecodec.runtime, edgecodec.encoder], ids=lambda p: p.__name__
)
def test_all_names_exactly_the_public_members(package: ModuleType) -> None:
    public = [
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    ]
    assert sorted(package.__all__) == sorted(public)
    assert package.__all__ == sorted(package.__all__)
