"""Names of chips."""

from __future__ import annotations

import pytest
from edgecodec.export.devices import find_soc, known_socs
from edgecodec.runtime.errors import UnsupportedError


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("8gen3", "SM8650"),
        ("8 Gen 3", "SM8650"),
        ("Snapdragon 8 Gen 3", "SM8650"),
        ("sm8650", "SM8650"),
        ("8-elite", "SM8750"),
        ("snapdragon-8-elite-gen5", "SM8850"),
        ("X Elite", "SC8380XP"),
        ("x-plus", "SC8380XP"),
        ("QCS9075", "QCS9100"),
    ],
)
def test_a_chip_has_the_names_that_people_use(text: str, part: str) -> None:
    assert find_soc(text).part == part


def test_an_unknown_chip_lists_those_that_are_known() -> None:
    with pytest.raises(UnsupportedError, match="no chip called '9gen9'") as caught:
        find_soc("9gen9")
    assert all(soc.name in str(caught.value) for soc in known_socs())


def test_every_chip_is_found_by_its_own_names_and_by_no_other() -> None:
    for soc in known_socs():
        assert find_soc(soc.name) == soc == find_soc(soc.part)
    numbers = [soc.soc_model for soc in known_socs()]
    assert len(set(numbers)) == len(numbers)
