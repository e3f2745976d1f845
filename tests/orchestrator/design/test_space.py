from __future__ import annotations

import random
from dataclasses import replace
from itertools import product

import pytest
from edgecodec.orchestrator.design import Goal, Space, default_space, parse_space
from edgecodec.runtime.errors import UnsupportedError

from .made import made_settings

SPACE = Space(
    "quality",
    (40.0, 50.0, 60.0),
    50.0,
    strategies=((), ("classical",), ("classical", "hybrid_semantic"), ("semantic_latent",)),
    codecs=(("vvc", "av1"), ("h264",)),
    sizes=(("full", "half"), ("full",)),
    tiers=("nano", "edge"),
    efforts=("fast", "normal"),
    adapts=(None, "none", "filter", "code", "title"),
    title_steps=(None, 100),
)
GOALS = ("bitrate min, psnr max", "psnr>=38, bitrate min", "bitrate<=1", "ssim>=0.98", "vmaf>=90")


def points(space: Space) -> list[dict[str, float | str]]:
    fields = {"target": space.targets, **space.choices()}
    return [dict(zip(fields, values, strict=True)) for values in product(*fields.values())]


def test_every_point_is_settings_that_lead_back_to_them() -> None:
    found = set()
    for point in points(SPACE):
        settings = SPACE.settings(point)
        assert SPACE.settings(SPACE.point(settings)) == settings
        assert SPACE.canonical(settings) == settings
        assert SPACE.holds(settings)
        found.add(settings)
    assert len(found) == SPACE.size()


def test_choices_that_change_nothing_are_not_counted() -> None:
    classical = [each for each in SPACE.at_start() if each.strategies == ("classical",)]
    latents = [each for each in SPACE.at_start() if each.strategies == ("semantic_latent",)]
    # Codecs, sizes and effort; the tier; and with all, filters or none.
    assert len(classical) == 2 * 2 * 2 * 2
    assert len(latents) == 2 * 2
    assert {each.tier for each in classical} == {"nano"}


def test_the_usual_adaptation_and_its_name_are_one() -> None:
    by_effort = SPACE.settings({**SPACE.point(SPACE.first_points()[0]), "adapt": "by effort"})
    named = SPACE.settings({**SPACE.point(SPACE.first_points()[0]), "adapt": "filter"})
    assert by_effort == named


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"target": 39.0}, "target is 39"),
        ({"target": "50"}, "target"),
        ({"target": float("nan")}, "target"),
        ({"codecs": "mpeg2"}, "codecs"),
        ({"adapt": None}, "adapt"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_point_outside_is_refused_with_its_field(change: dict[str, object], named: str) -> None:
    point = SPACE.point(SPACE.first_points()[0])
    with pytest.raises(UnsupportedError, match=named):
        SPACE.settings({**point, **change})  # type: ignore[dict-item]


def test_a_missing_field_is_named() -> None:
    point = SPACE.point(SPACE.first_points()[0])
    del point["effort"]
    with pytest.raises(UnsupportedError, match="effort is missing"):
        SPACE.settings(point)


def test_a_target_between_is_moved_to_the_nearest() -> None:
    point = SPACE.point(SPACE.first_points()[0])
    assert SPACE.settings({**point, "target": 54.0}).target.value == 50.0


def test_settings_of_another_space_have_no_point() -> None:
    for settings in (
        made_settings(40.0, "psnr"),
        made_settings(50.0, codecs=("h265",)),
        made_settings(99.0, codecs=("h264",)),
    ):
        assert not SPACE.holds(settings)
        with pytest.raises(UnsupportedError):
            SPACE.point(settings)


@pytest.mark.parametrize(
    "change",
    [
        {"targets": ()},
        {"targets": (60.0, 50.0)},
        {"targets": (50.0, 500.0)},
        {"start": 45.0},
        {"codecs": (("mpeg2",),)},
        {"codecs": ()},
        {"codecs": (("av1", "vvc"), ("vvc", "av1"))},
        {"tiers": ("huge",)},
        {"title_steps": (0,)},
        {"kind": "beauty"},
    ],
)
def test_a_space_of_what_cannot_be_encoded_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UnsupportedError):
        replace(SPACE, **change)  # type: ignore[arg-type]


def test_the_schema_allows_the_points_and_nothing_else() -> None:
    schema = SPACE.json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"]) == set(points(SPACE)[0])
    for name, values in SPACE.choices().items():
        assert schema["properties"][name]["enum"] == list(values)


@pytest.mark.parametrize("text", GOALS)
@pytest.mark.parametrize("quick", [True, False])
def test_what_is_usual_for_a_goal_can_reach_it(text: str, quick: bool) -> None:
    goal = Goal.parse(text)
    space = default_space(goal, quick=quick)
    first = space.first_points()
    assert all(space.holds(each) and goal.hopeless(each) is None for each in first)
    assert {each.codecs for each in first} >= {("av1",), ("h264",), ("h265",)}
    assert space.size() > 200


def test_quick_leaves_out_what_takes_long() -> None:
    quick = default_space(Goal(), quick=True)
    assert set(quick.efforts) == {"fast"}
    assert "title" not in quick.adapts
    assert not any("vvc" in each for each in quick.codecs)


@pytest.mark.parametrize(
    ("bound", "objective"), [("psnr>=38", "psnr max"), ("bitrate<=1", "bitrate min")]
)
def test_targets_go_far_beyond_a_bound_only_where_that_is_worth_something(
    bound: str, objective: str
) -> None:
    tight = default_space(Goal.parse(f"{bound}, ssim max"))
    wide = default_space(Goal.parse(f"{bound}, ssim max, {objective}"))
    assert 2 < len(tight.targets) < len(wide.targets) / 5
    assert set(tight.targets) < set(wide.targets)
    assert tight.start == wide.start


def test_targets_follow_the_goal() -> None:
    assert default_space(Goal()).kind == "quality"
    psnr = default_space(Goal.parse("psnr>=38, bitrate min"))
    assert psnr.kind == "psnr"
    assert psnr.targets[0] == 38.0
    assert psnr.start > 38.0
    bitrate = default_space(Goal.parse("bitrate<=800k, psnr max"))
    assert bitrate.kind == "bitrate"
    assert bitrate.targets[-1] == 800_000.0


@pytest.mark.parametrize(
    "text", ["ssim>=1", "psnr>=100", "vmaf>=100", "bitrate<=0.00001", "ssim>=0.9995"]
)
def test_the_ends_of_the_scales_have_targets(text: str) -> None:
    assert default_space(Goal.parse(text)).targets


def test_a_text_changes_a_space() -> None:
    space = parse_space(
        "target=psnr:36..38:0.5, codecs=av1|vvc+av1, strategies=auto|classical,"
        " adapt=by-effort|title, title_steps=by-effort|500, effort=fast",
        SPACE,
    )
    assert (space.kind, space.targets) == ("psnr", (36.0, 36.5, 37.0, 37.5, 38.0))
    assert space.codecs == (("av1",), ("av1", "vvc"))
    assert space.strategies == ((), ("classical",))
    assert space.adapts == (None, "title")
    assert space.title_steps == (None, 500)
    assert space.efforts == ("fast",)
    assert space.sizes == SPACE.sizes
    assert parse_space("", SPACE) == SPACE


def test_bitrates_rise_in_equal_ratios() -> None:
    space = parse_space("target=bitrate:500000..1000000", SPACE)
    ratios = [b / a for a, b in zip(space.targets, space.targets[1:], strict=False)]
    assert max(ratios) - min(ratios) < 1e-4


@pytest.mark.parametrize(
    "text",
    [
        "codecs",
        "codecs=",
        "codecs=mpeg2",
        "colour=blue",
        "target=38..40",
        "target=beauty:1..2",
        "target=psnr:40..38",
        "target=psnr:38..40:0",
        "target=bitrate:0..1000",
        "target=quality:0..100:0.0001",
        "title_steps=many",
        "effort=fast|fast",
    ],
)
def test_a_text_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedError, match=r"space|settings|target"):
        parse_space(text, SPACE)


def test_neighbours_come_nearest_first() -> None:
    settings = random.Random(1).choice(SPACE.at_start())
    values = [each.target.value for each in SPACE.nearest(settings)]
    assert values[0] == 50.0
    assert sorted(values) == list(SPACE.targets)
