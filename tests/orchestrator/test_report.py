from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from edgecodec.orchestrator.analysis import Outcome, analyse
from edgecodec.orchestrator.cost import Cost, Price
from edgecodec.orchestrator.design.goal import Goal
from edgecodec.orchestrator.ledger.record import Outcome as Ending
from edgecodec.orchestrator.report import RunReport, page, write_page
from edgecodec.orchestrator.report.scales import scale

from .made_runs import attempt, dead, done, run, waiting

GOAL = "psnr>=38, bitrate min"
EVIL = '<script>alert("x")</script>'


class Checker(HTMLParser):
    """Counts elements, and sees that each is closed where it should be."""

    EMPTY = frozenset({"meta", "line", "circle", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: dict[str, int] = {}
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def checked(text: str) -> Checker:
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    return checker


def report_of(*outcomes: Outcome, goal: str = GOAL, end: str = "") -> RunReport:
    made = run(*outcomes, goal=goal, end=end)
    found = analyse(outcomes, Goal.parse(goal))
    return RunReport(made, found, ("a.mp4",), Cost(Price(2.5), 5, 1800.0, 180.0))


def test_a_page_is_whole_html_that_needs_nothing_else() -> None:
    text = page(
        report_of(
            done(1, 1.5, 37, 0.01),
            done(2, 1.2, 39, 0.02, codec="vvc", by="anthropic:m", why="it may be smaller"),
            done(3, 1.1, 38.2, 0.02),
            dead(4, "the encoder died"),
            waiting(5),
            end="all 5 experiments have ended",
        )
    )
    checker = checked(text)
    assert checker.links == []
    assert "http" not in text.replace("http-equiv", "")
    assert checker.counts.get("script") is None
    assert checker.counts["svg"] == 3
    assert checker.counts["circle"] == 3 * 3 + 3  # each result in three pictures, the best's ring
    for said in (
        "1.25 USD",
        "0.12 of it",
        "it may be smaller",
        "the encoder died",
        "edgecodec encode",
        "made",
    ):
        assert said in text


def test_texts_from_outside_are_escaped() -> None:
    text = page(report_of(done(1, 1, 39, by=EVIL, why=EVIL), dead(2, EVIL), end=EVIL))
    checked(text)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("outcomes", [(), (waiting(1),), (dead(1, "no"),), (done(1, 1, 20),)])
def test_runs_without_much_have_a_page_too(outcomes: tuple[Outcome, ...]) -> None:
    assert "Experiments: made" in page(report_of(*outcomes))
    checked(page(report_of(*outcomes)))


def test_repeated_attempts_are_accounted_for_and_others_are_not() -> None:
    lost = (
        attempt(1, Ending.LOST, error="not heard of"),
        attempt(2, Ending.DONE, seconds=3700),
    )
    text = page(report_of(done(1, 1, 39, attempts=lost), done(2, 2, 39)))
    table = text[text.index("Attempts that were repeated") :]
    assert "not heard of" in table
    assert "1 h 1 min" in table
    assert table.count("<tr>") == 1 + 2


def test_only_results_within_the_bounds_are_full_and_the_best_is_marked() -> None:
    text = page(report_of(done(1, 1.0, 30), done(2, 2.0, 39), done(3, 3.0, 40)))
    assert text.count("hollow") - text.count(".hollow") == 2  # number 1 in two pictures
    assert text.count('class="ring"') == 2
    assert "<tr class=ours>" in text


def test_a_goal_with_vmaf_is_drawn_with_vmaf() -> None:
    text = page(report_of(done(1, 1, 39, vmaf=90.0), goal="vmaf>=80, bitrate min"))
    assert "VMAF over bitrate" in text


def test_a_page_is_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("old")
    report = report_of(done(1, 1, 39))
    write_page(file, report)
    assert file.read_text(encoding="utf-8") == page(report)
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.parametrize("values", [[1.0], [0.0, 0.0], [0.001, 0.0012], [38.0, 42.5], [1e6, 5e6]])
def test_scales_hold_all_values_and_have_ticks(values: list[float]) -> None:
    made = scale(values, 0, 100)
    assert all(0 <= made(value) <= 100 for value in values)
    ticks = made.ticks()
    assert 3 <= len(ticks) <= 13
    assert ticks == sorted(set(ticks))
    assert all(0 <= made(tick) <= 100 for tick in ticks)
