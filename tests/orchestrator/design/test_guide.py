"""What the guide shows is what the program takes."""

from __future__ import annotations

import re
from pathlib import Path

from edgecodec.orchestrator.design import Goal, default_space, parse_space
from edgecodec.orchestrator.design.llm import anthropic, openai

GUIDE = (Path(__file__).parents[3] / "docs" / "designers.md").read_text(encoding="utf-8")


def test_its_goals_are_goals() -> None:
    goals = re.findall(r"--goal '([^']+)'", GUIDE)
    assert len(goals) >= 3
    assert all(Goal.parse(text).objectives for text in goals)


def test_its_spaces_are_spaces() -> None:
    spaces = re.findall(r"--space '([^']+)'", GUIDE)
    assert len(spaces) >= 3
    base = default_space(Goal())
    assert all(parse_space(text, base) != base for text in spaces)


def test_its_usual_goal_is_the_usual_one() -> None:
    assert "`bitrate min, psnr max, tops min`" in GUIDE
    assert Goal() == Goal.parse("bitrate min, psnr max, tops min")


def test_its_models_are_the_usual_ones() -> None:
    assert f"`{anthropic.USUAL_MODEL}` or `{openai.USUAL_MODEL}`" in GUIDE
