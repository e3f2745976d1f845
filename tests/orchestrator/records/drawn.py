"""Records of all kinds, drawn by hypothesis."""

from __future__ import annotations

from edgecodec.orchestrator.records import (
    Artefact,
    Clip,
    ClipResult,
    EncodeSettings,
    Experiment,
    Result,
    TargetSpec,
)
from edgecodec.orchestrator.records.result import VERDICTS
from edgecodec.orchestrator.records.settings import (
    ADAPTATIONS,
    CODECS,
    EFFORTS,
    SEARCHES,
    SIZES,
    STRATEGIES,
    TIERS,
)
from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = texts.filter(bool)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
numbers = st.floats(0, 1e9)
targets = st.one_of(
    st.builds(TargetSpec, st.just("quality"), st.floats(0, 100)),
    st.builds(TargetSpec, st.just("bitrate"), st.floats(1, 1e12)),
    st.builds(TargetSpec, st.sampled_from(("psnr", "vmaf")), st.floats(0.1, 100)),
    st.builds(TargetSpec, st.just("ssim"), st.floats(0.1, 0.999)),
)


def some(of: tuple[str, ...], least: int = 1) -> st.SearchStrategy[tuple[str, ...]]:
    """Different ones, in any order."""
    return st.lists(st.sampled_from(of), min_size=least, unique=True).map(tuple)


settings = st.builds(
    EncodeSettings,
    target=targets,
    strategies=some(STRATEGIES, 0),
    codecs=some(CODECS),
    sizes=some(SIZES),
    tier=st.sampled_from(TIERS),
    effort=st.sampled_from(EFFORTS),
    search=st.sampled_from(SEARCHES),
    adapt=st.none() | st.sampled_from(ADAPTATIONS),
    title_steps=st.none() | st.integers(1, 10**6),
)
clips = st.builds(Clip, names, hashes, st.none() | st.integers(1, 10**6))
experiments = st.builds(
    Experiment,
    st.lists(clips, min_size=1, max_size=3, unique_by=lambda clip: clip.name).map(tuple),
    settings,
    device=names,
    model=texts,
    seed=st.integers(0, 2**40),
)
artefacts = st.builds(Artefact, names, texts, st.integers(0, 2**60), hashes)
clip_results = st.builds(
    ClipResult,
    clip=names,
    frames=st.integers(1, 10**6),
    duration_s=numbers,
    bytes=st.integers(0, 2**50),
    bitrate_mbps=numbers,
    psnr=numbers,
    ssim=numbers,
    ms_ssim=numbers,
    vmaf=st.none() | numbers,
    encode_fps=numbers,
    decode_fps=numbers,
    strategies=st.dictionaries(st.sampled_from(STRATEGIES), st.integers(0, 1000)),
    tops_per_frame=numbers,
    verdict=st.sampled_from(VERDICTS),
    device_ms=st.none() | st.tuples(numbers, numbers, numbers),
    artefacts=st.lists(artefacts, max_size=2).map(tuple),
)
results = st.builds(
    Result,
    experiment=hashes,
    clips=st.lists(clip_results, min_size=1, max_size=3).map(tuple),
    seconds=numbers,
    worker=texts,
    versions=st.dictionaries(names, texts, max_size=3),
    log=st.none() | artefacts,
)
