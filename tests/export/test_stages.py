"""Stages that are made once for the same content."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import edgecodec
import pytest
from edgecodec.export.cache import Cache, Product
from edgecodec.export.origin import code_digest, tool_versions
from edgecodec.export.stages import NOTE, Stage, StageRunner


class Line:
    """Three stages in a row, `letters`, `shout` and `count`, and which of them were made."""

    def __init__(self, text: str = "abc") -> None:
        self.made: list[str] = []
        self.text = text

    def stages(self) -> tuple[Stage, ...]:
        def stage(name: str, needs: tuple[str, ...], settings: Mapping[str, object]) -> Stage:
            return Stage(name, needs, settings, ("numpy",), (), lambda made: self.make(name, made))

        return (
            stage("letters", (), {"text": self.text}),
            stage("shout", ("letters",), {}),
            stage("count", ("shout",), {}),
        )

    def make(self, name: str, made: Mapping[str, Product]) -> Product:
        self.made.append(name)
        if name == "letters":
            # Both "abc" and "cba" give the same product.
            return Product({"text": "".join(sorted(self.text)).encode()})
        if name == "shout":
            return Product({"text": made["letters"].files["text"].upper()})
        return Product({NOTE: f"{len(made['shout'].files['text'])} letters".encode()})


def test_a_second_run_makes_nothing(tmp_path: Path) -> None:
    line, runner = Line(), StageRunner(Cache(tmp_path))
    first = runner.run(line.stages())
    assert line.made == ["letters", "shout", "count"]
    assert runner.run(line.stages()) == first
    assert line.made == ["letters", "shout", "count"]


def test_what_follows_from_an_equal_result_is_not_made_again(tmp_path: Path) -> None:
    runner = StageRunner(Cache(tmp_path))
    runner.run(Line("abc").stages())
    line = Line("cba")
    runner.run(line.stages())
    assert line.made == ["letters"]
    line = Line("abcd")
    runner.run(line.stages())
    assert line.made == ["letters", "shout", "count"]


def test_without_a_cache_everything_is_made(tmp_path: Path) -> None:
    line = Line()
    for _ in range(2):
        StageRunner(None).run(line.stages())
    assert len(line.made) == 6


@pytest.mark.parametrize(("first", "made"), [("letters", 3), ("shout", 2), ("count", 1), (None, 0)])
def test_a_stage_and_those_after_it_are_made_anew_on_demand(
    tmp_path: Path, first: str | None, made: int
) -> None:
    StageRunner(Cache(tmp_path)).run(Line().stages())
    line = Line()
    StageRunner(Cache(tmp_path), first).run(line.stages())
    assert line.made == ["letters", "shout", "count"][3 - made :]


def test_a_failure_keeps_what_was_made_before_it(tmp_path: Path) -> None:
    def fail(made: Mapping[str, Product]) -> Product:
        raise OSError("no more paper")

    runner, line = StageRunner(Cache(tmp_path)), Line()
    broken = [*line.stages()[:2], replace(line.stages()[2], make=fail)]
    with pytest.raises(OSError, match="paper"):
        runner.run(broken)
    runner.run(line.stages())
    assert line.made == ["letters", "shout", "count"]


def test_the_plan_knows_what_is_cached(tmp_path: Path) -> None:
    runner, line = StageRunner(Cache(tmp_path)), Line()
    assert runner.cached(line.stages()) == ()
    runner.run(line.stages()[:2])
    assert runner.cached(line.stages()) == ("letters", "shout")
    runner.run(line.stages())
    assert runner.cached(line.stages()) == ("letters", "shout", "count")
    assert StageRunner(Cache(tmp_path), "shout").cached(line.stages()) == ("letters",)
    assert runner.cached(Line("abcd").stages()) == ()
    assert len(line.made) == 3


def test_notes_are_told_of_cached_stages_too(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    begun: list[str] = []
    cache = Cache(tmp_path)
    runner = StageRunner(cache, None, begun.append, lambda *note: told.append(note))
    for _ in range(2):
        runner.run(Line().stages())
    assert told == 2 * [("count", "3 letters")]
    assert begun == 2 * ["letters", "shout", "count"]


def test_a_key_depends_on_settings_tools_inputs_and_name() -> None:
    _, shout, _ = Line().stages()
    made = {"letters": Product({"text": b"abc"})}
    keys = {
        shout.key(made),
        shout.key({"letters": Product({"text": b"abd"})}),
        replace(shout, name="whisper").key(made),
        replace(shout, settings={"loud": True}).key(made),
        replace(shout, tools=("onnx",)).key(made),
        replace(shout, modules=("edgecodec.export.graph",)).key(made),
    }
    assert len(keys) == 6


def test_the_code_of_a_stage_is_what_it_imports_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "edgecodec" / "probe"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "near.py").write_text("from .far import thing\nimport json\n")
    (package / "far.py").write_text("thing = 1\n")
    (package / "aside.py").write_text("other = 1\n")
    monkeypatch.setattr(edgecodec, "__path__", [*edgecodec.__path__, str(tmp_path / "edgecodec")])
    importlib.invalidate_caches()

    def digest(alone: str | None = None) -> str:
        code_digest.cache_clear()
        return code_digest(("edgecodec.probe.near",), alone)

    before, beside = digest(), digest("edgecodec.probe.aside")
    (package / "aside.py").write_text("other = 2\n")
    assert digest() == before
    assert digest("edgecodec.probe.aside") != beside
    (package / "far.py").write_text("thing = 2\n")
    assert digest() != before


def test_only_installed_tools_have_a_version() -> None:
    assert set(tool_versions(("numpy", "no-such-distribution"))) == {"numpy"}
