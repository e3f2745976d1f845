"""Records outlive JSON; anything else that comes as one is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from edgecodec.orchestrator.records import Clip, EncodeSettings, Experiment, Result, TargetSpec
from edgecodec.runtime.errors import UnsupportedError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from . import drawn

SETTINGS = EncodeSettings(TargetSpec("psnr", 40.0))
EXPERIMENT = Experiment((Clip("b", "0" * 64), Clip("a", "1" * 64, 30)), SETTINGS)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def through_json(value: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(value, allow_nan=False))
    return read


@settings(deadline=None)
@given(drawn.settings)
def test_settings(chosen: EncodeSettings) -> None:
    assert EncodeSettings.from_dict(through_json(chosen.to_dict())) == chosen


@settings(deadline=None)
@given(drawn.experiments)
def test_experiments(experiment: Experiment) -> None:
    read = Experiment.from_dict(through_json(experiment.to_dict()))
    assert read == experiment
    assert read.id == experiment.id


@settings(deadline=None)
@given(drawn.results)
def test_results(result: Result) -> None:
    assert Result.from_dict(through_json(result.to_dict())) == result


@settings(deadline=None)
@given(
    drawn.experiments,
    drawn.experiments,
    st.sampled_from(("clips", "settings", "device", "model", "seed")),
)
def test_whatever_differs_gives_another_id(one: Experiment, two: Experiment, field: str) -> None:
    other = replace(one, **{field: getattr(two, field)})
    assert (other.id == one.id) == (other == one)


@settings(deadline=None)
@given(drawn.experiments, st.data())
def test_every_setting_counts(experiment: Experiment, data: st.DataObject) -> None:
    chosen, others = experiment.settings, data.draw(drawn.settings)
    for field in chosen.to_dict():
        changed = replace(chosen, **{field: getattr(others, field)})
        other = replace(experiment, settings=changed)
        assert (other.id == experiment.id) == (changed == chosen)


def test_the_id_is_32_hexadecimal_digits_and_stays() -> None:
    """Ids name what is stored: a change of this one makes all that is stored unknown."""
    assert EXPERIMENT.id == "31c8fc1197eca550c33d2a31b31f8fd9"


def test_order_and_ways_to_write_a_number_make_no_difference() -> None:
    swapped = replace(EXPERIMENT, clips=EXPERIMENT.clips[::-1])
    assert swapped.id == EXPERIMENT.id
    shuffled = EncodeSettings(TargetSpec("psnr", 40), codecs=("vvc", "h265", "av1", "h264"))
    assert replace(EXPERIMENT, settings=shuffled).id == EXPERIMENT.id


@settings(deadline=None)
@given(drawn.experiments | drawn.results, st.data())
def test_a_record_with_anything_wrong_in_it_is_refused_or_equal(
    record: Experiment | Result, data: st.DataObject
) -> None:
    """Nothing but UnsupportedError comes of damage, and nothing is taken for what it is not."""
    value = through_json(record.to_dict())
    place: Any = value
    while True:
        keys: list[Any] = list(range(len(place)) if isinstance(place, list) else place)
        assume(keys)
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(ANYTHING)
    try:
        read = type(record).from_dict(value)
    except UnsupportedError:
        return
    assert type(record).from_dict(through_json(read.to_dict())) == read


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": "red"}, "no field colour"),
        ({"codecs": ["mpeg2"]}, r"settings: codecs is 'mpeg2'.*av1"),
        ({"codecs": []}, "at least one codec"),
        ({"codecs": ["av1", "av1"]}, "nothing comes twice"),
        ({"codecs": "av1"}, "codecs is 'av1', but must be a list"),
        ({"tier": "huge"}, r"tier is 'huge'.*nano, edge, max"),
        ({"tier": None}, "tier is None"),
        ({"adapt": "much"}, "none, filter, code, title"),
        ({"title_steps": 0}, "title_steps is 0.*at least 1"),
        ({"title_steps": True}, "title_steps is True"),
        ({"target": {"kind": "psnr"}}, "target: the field value is missing"),
        ({"target": {"kind": "speed", "value": 1}}, "kind is 'speed'"),
        ({"target": {"kind": "ssim", "value": 1}}, "target ssim 1"),
        ({"target": {"kind": "psnr", "value": float("nan")}}, "finite number"),
        ({"target": {"kind": "psnr", "value": 10**400}}, "finite number"),
        ({"target": None}, "target: None is not an object"),
    ],
)
def test_settings_that_edgecodec_does_not_take(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        EncodeSettings.from_dict(SETTINGS.to_dict() | change)


def test_settings_with_their_usual_values_left_out() -> None:
    short = {"target": {"kind": "psnr", "value": 40}}
    assert EncodeSettings.from_dict(short) == SETTINGS
    with pytest.raises(UnsupportedError, match="target"):
        EncodeSettings.from_dict({})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "schema 2.*install the version of edgecodec that wrote it"),
        ({"schema": 0}, "schema is 0"),
        ({"clips": []}, "at least one video"),
        ({"clips": [{"name": "a", "sha256": "0" * 63, "frames": None}]}, "64 hexadecimal"),
        ({"clips": [{"name": "", "sha256": "0" * 64, "frames": None}]}, "needs a name"),
        ({"clips": [{"name": "a", "sha256": "0" * 64, "frames": 0}]}, "frames is 0"),
        ({"clips": [EXPERIMENT.clips[0].to_dict()] * 2}, "named twice"),
        ({"seed": -1}, "seed is -1"),
        ({"extra": 1}, "no field extra"),
    ],
)
def test_experiments_that_are_none(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        Experiment.from_dict(EXPERIMENT.to_dict() | change)
