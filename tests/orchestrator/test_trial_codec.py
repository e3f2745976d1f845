"""Trials as JSON: what is sent is what arrives, and nothing else is taken."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from edgecodec.encoder.adaptation import Adaptation, TitleFile
from edgecodec.encoder.bench import Request
from edgecodec.encoder.effort import Effort
from edgecodec.encoder.scene_place import ScenePlace
from edgecodec.encoder.strategies import LatentTrial, ProceduralTrial, StandardTrial, Trial
from edgecodec.encoder.targets import Metric
from edgecodec.orchestrator.encoding.trial_codec import (
    TrialJob,
    title_name,
    title_of,
    trial_id,
    trial_name,
    with_title_at,
)
from edgecodec.runtime.chunks import Codec, StrategyId
from edgecodec.runtime.errors import UnsupportedError
from edgecodec.runtime.frames import ColorInfo, PictureFormat
from edgecodec.runtime.upsample import Upsampling
from hypothesis import given
from hypothesis import strategies as st

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
PRESETS = st.none() | st.sampled_from(["medium", "4", "veryslow"])
TITLES = st.none() | st.builds(
    lambda digest, number: TitleFile(Path(title_name(digest)), digest, number),
    HEX,
    st.integers(0, 9),
)
TRIALS: st.SearchStrategy[Trial] = st.one_of(
    st.builds(
        StandardTrial,
        st.sampled_from(Codec),
        st.sampled_from([8, 10]),
        PRESETS,
        st.sampled_from(Upsampling),
        st.sampled_from(["", "b526cdfb8fb7ad8b"]),
        st.sampled_from(Adaptation),
        TITLES,
    ),
    st.builds(
        LatentTrial,
        st.sampled_from([StrategyId.SEMANTIC_LATENT, StrategyId.I_FRAME_INTERPOLATION]),
        st.sampled_from(["nano", "edge"]),
        st.sampled_from(["cpu", "cuda"]),
        st.sampled_from(Effort),
        st.sampled_from(Metric),
        st.sampled_from(Adaptation),
    ),
    st.builds(ProceduralTrial, st.sampled_from(Codec), PRESETS),
)
REQUESTS = TRIALS.flatmap(
    lambda trial: st.builds(
        Request,
        st.just(trial),
        st.integers(int(4 * trial.settings[0]), int(4 * trial.settings[1])).map(lambda n: n / 4),
        st.none() | st.integers(1, 99),
    )
)
PLACES = st.builds(
    ScenePlace,
    HEX.map(lambda text: text[:40]),
    st.integers(0, 999),
    st.integers(0, 99999),
    st.sets(st.integers(-(2**40), 2**40), min_size=1, max_size=9).map(lambda s: tuple(sorted(s))),
    st.builds(PictureFormat, st.integers(1, 4096), st.integers(1, 4096), st.sampled_from([8, 10])),
    st.fractions(min_value=Fraction(1, 100), max_value=240),
    st.builds(ColorInfo, *[st.integers(0, 20)] * 3, st.booleans()),
)
JOBS = st.builds(
    TrialJob, st.just("sources/a.mp4"), HEX, PLACES, REQUESTS, st.sampled_from(Metric), HEX, HEX
)
PLACE = ScenePlace(
    "0f" * 20, 1, 30, (30, 31), PictureFormat(96, 64), Fraction(30), ColorInfo(1, 1, 1)
)
OWN = TitleFile(Path("here.title"), "1e" * 32, 1)
H264 = StandardTrial(Codec.H264, 8, "medium", enhancer="b526cdfb8fb7ad8b", title=OWN)
JOB = TrialJob(
    "sources/a.mp4", "ab" * 32, PLACE, Request(H264, 30.25, 9), Metric.PSNR, "f" * 64, "1.0"
)


@given(JOBS)
def test_what_is_sent_arrives(job: TrialJob) -> None:
    arrived = TrialJob.from_dict(json.loads(json.dumps(job.to_dict())), "trial")
    assert arrived == job
    assert arrived.key == job.key


def test_title_weights_go_by_what_they_are() -> None:
    """Their path is of no account: it is another on every machine."""
    arrived = TrialJob.from_dict(JOB.to_dict(), "trial")
    own = title_of(arrived.request)
    assert own is not None
    assert (str(own.path), own.digest) == (f"titles/{'1e' * 32}.title", "1e" * 32)
    assert arrived.key == JOB.key
    assert with_title_at(arrived.request, OWN.path) == JOB.request
    plain = Request(ProceduralTrial(Codec.AV1), 30.0)
    assert title_of(plain) is None
    assert with_title_at(plain, OWN.path) == plain


def test_names_follow_the_content() -> None:
    other = replace(JOB, request=replace(JOB.request, setting=30.5)).key
    assert trial_name(JOB.key) != trial_name(other)
    assert trial_name(JOB.key).startswith("trials/")
    assert len({trial_id(JOB.key), trial_id(JOB.key, 1), trial_id(other)}) == 3


WRONG: list[tuple[tuple[str, ...], Any, str]] = [
    (("schema",), 2, "schema 2"),
    (("sha256",), "xyz", "64 hexadecimal"),
    (("metric",), "taste", "metric"),
    (("surprise",), 1, "surprise"),
    (("scene", "digest"), "0f", "40 hexadecimal"),
    (("scene", "start"), -1, "start"),
    (("scene", "pts"), [], "rising"),
    (("scene", "pts"), [3, 3], "rising"),
    (("scene", "pts"), [1, 2.5], "rising"),
    (("scene", "frame_rate"), "30/0", "fraction"),
    (("scene", "frame_rate"), "-1", "fraction"),
    (("scene", "format", "width"), 100_000, "no picture"),
    (("scene", "format", "bit_depth"), 12, "no picture"),
    (("scene", "color", "full_range"), 1, "full_range"),
    (("request", "setting"), 99, "has 0 to 51"),
    (("request", "setting"), "30", "setting"),
    (("request", "head"), 0, "head"),
    (("request", "trial", "kind"), "pickle", "kind"),
    (("request", "trial", "codec"), "mpeg2", "codec"),
    (("request", "trial", "preset"), "slow:log=/etc", "plain name"),
    (("request", "trial", "upsampling"), "nine", "upsampling"),
    (("request", "trial", "adapt"), "all", "adapt"),
    (("request", "trial", "title"), {"digest": "../x", "number": 0}, "64 hexadecimal"),
    (("request", "trial", "path"), "/etc", "path"),
]


@pytest.mark.parametrize(("path", "value", "said"), WRONG, ids=lambda each: str(each)[:40])
def test_what_is_wrong_is_named(path: tuple[str, ...], value: object, said: str) -> None:
    payload = json.loads(json.dumps(JOB.to_dict()))
    within = payload
    for name in path[:-1]:
        within = within[name]
    within[path[-1]] = value
    with pytest.raises(UnsupportedError, match=said):
        TrialJob.from_dict(payload, "trial")


@pytest.mark.parametrize("adapt", [*Adaptation, "all", None], ids=str)
def test_a_trial_in_latents_says_whether_it_has_filters(adapt: Adaptation | str | None) -> None:
    trial = LatentTrial(StrategyId.SEMANTIC_LATENT, "edge", "cpu", adapt=Adaptation.NONE)
    payload = json.loads(json.dumps(replace(JOB, request=Request(trial, 20.0, None)).to_dict()))
    said = payload["request"]["trial"]
    assert said["adapt"] == "none"
    if isinstance(adapt, Adaptation):
        said["adapt"] = adapt.value
        arrived = TrialJob.from_dict(payload, "trial")
        assert arrived.request.trial == replace(trial, adapt=adapt)
        return
    if adapt is None:
        del said["adapt"]
    else:
        said["adapt"] = adapt
    with pytest.raises(UnsupportedError, match="adapt"):
        TrialJob.from_dict(payload, "trial")


@pytest.mark.parametrize("missing", [*JOB.to_dict()])
def test_nothing_may_be_missing(missing: str) -> None:
    payload = JOB.to_dict()
    del payload[missing]
    with pytest.raises(UnsupportedError, match=missing):
        TrialJob.from_dict(payload, "trial")


def test_other_kinds_of_trials_stay_here() -> None:
    class Strange:
        name = "strange"

    with pytest.raises(UnsupportedError, match="strange"):
        replace(JOB, request=Request(Strange(), 1.0)).to_dict()  # type: ignore[arg-type]
