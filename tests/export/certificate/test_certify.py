"""Certificates of real streams on real sessions, each in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from edgecodec.export.certificate import (
    Absent,
    Certificate,
    CertifyOptions,
    Requirement,
    StrategyReport,
    certify,
    check_certificate,
    check_loaded,
)
from edgecodec.export.certificate.plan import Job
from edgecodec.export.certificate.processes import Refused, Replayed, replays
from edgecodec.export.devices.socs import find_soc
from edgecodec.runtime.errors import BitstreamError, GateError, ModelError, ProviderError
from edgecodec.runtime.replay import Recording, Variant
from edgecodec.runtime.sessions import Optimization

LATENTS, HYBRID, CLASSICAL = "i_frame_interpolation", "hybrid_semantic", "classical"
TWO_SOCS = (find_soc("8gen1"), find_soc("8elite"))


def silent(done: float, detail: str) -> None:
    assert 0 <= done <= 1
    assert detail


def reports(certificate: Certificate, strategy: str) -> dict[tuple[str, str, int], StrategyReport]:
    """By provider, optimisation (for a chip its name) and threads."""
    found = {}
    for witness in certificate.witnesses:
        level = witness.device.partition(" ")[0] or witness.variant.optimization
        for report in witness.strategies:
            if report.strategy == strategy:
                found[witness.variant.provider, level, witness.variant.threads] = report
    return found


@pytest.fixture(scope="module")
def fast(fast_stream: Path, fast_models: Path) -> Certificate:
    options = CertifyOptions(
        providers=("cpu", "qnn"), socs=TWO_SOCS, models=fast_models, simulator_frames=1
    )
    return certify(fast_stream, options, silent)


def test_every_level_thread_count_and_chip_is_a_witness(fast: Certificate) -> None:
    found = reports(fast, LATENTS)
    on_cpu = {("cpu", level, threads) for level in Optimization for threads in (1, 2, 4)}
    assert set(found) == on_cpu | {("qnn", "8gen1", 0), ("qnn", "8elite", 0)}
    assert len(fast.witnesses) == 14
    assert fast.absent == ()
    assert fast.witnesses[0].variant.optimization is Optimization.ALL
    assert {witness.environment for witness in fast.witnesses} == {sys.executable}
    assert all(witness.tool.startswith("ONNX Runtime 1.") for witness in fast.witnesses)


def test_fast_networks_give_the_same_symbols_and_other_pixels(fast: Certificate) -> None:
    found = reports(fast, LATENTS)
    assert all(report.symbols_identical for report in found.values())
    for (provider, level, _), report in found.items():
        exact = provider == "cpu" and level in ("all", "extended")
        assert report.pixels.identical == exact
        if not exact:
            assert 0 < report.pixels.share < 1
            assert 0 < report.pixels.mean <= report.pixels.share * report.pixels.largest
            assert max(report.pixels.largest_by_frame) == report.pixels.largest
    hashes = {report.pixels_sha256 for report in found.values() if report.pixels.identical}
    assert len(hashes) == 1


def test_what_no_network_makes_is_the_same_everywhere(fast: Certificate) -> None:
    for report in reports(fast, CLASSICAL).values():
        assert report.pixels.identical
        assert report.symbols_identical is None
        assert report.network_runs == 0


def test_title_weights_reach_the_simulator(fast: Certificate) -> None:
    """Without them the networks' residuals would be tens of levels off."""
    chips = [each for key, each in reports(fast, HYBRID).items() if key[0] == "qnn"]
    assert [(each.frames, each.network_runs) for each in chips] == [(1, 1), (1, 1)]
    assert all(0 < each.pixels.largest <= 2 for each in chips)


def test_only_exact_is_refused_where_later_frames_are_predicted(fast: Certificate) -> None:
    check_certificate(fast, Requirement.SYMBOLS)
    with pytest.raises(GateError, match=f"{LATENTS}: other pixels on 8 of 14") as raised:
        check_certificate(fast, Requirement.EXACT)
    assert HYBRID not in str(raised.value)


def test_the_networks_that_ship_give_the_same_pixels_everywhere(fast_stream: Path) -> None:
    options = CertifyOptions(providers=("cpu", "qnn"), socs=TWO_SOCS[:1], simulator_frames=2)
    certificate = certify(fast_stream, options, silent)
    check_certificate(certificate, Requirement.EXACT)
    found = reports(certificate, LATENTS)
    assert len(found) == 13
    assert all(report.pixels.identical for report in found.values())


def test_exact_networks_give_the_same_pixels_everywhere(
    exact_stream: Path, exact_models: Path
) -> None:
    options = CertifyOptions(
        providers=("cpu", "qnn"), socs=TWO_SOCS, models=exact_models, simulator_frames=4
    )
    certificate = certify(exact_stream, options, silent)
    check_certificate(certificate, Requirement.EXACT)
    check_loaded(certificate, options)
    (verdict,) = certificate.verdicts
    assert (verdict.witnesses, verdict.symbols_differ, verdict.pixels_differ) == (14, 0, 0)
    found = reports(certificate, "semantic_latent")
    assert {(each.frames, each.network_runs) for each in found.values()} == {(4, 4)}
    assert len({each.pixels_sha256 for each in found.values()}) == 1


def test_the_certificate_is_json(fast: Certificate, fast_stream: Path) -> None:
    told = json.loads(json.dumps(fast.to_dict()))
    assert told["stream"] == str(fast_stream)
    assert len(told["witnesses"]) == len(fast.witnesses)
    assert {each["strategy"] for each in told["strategies"]} == {LATENTS, HYBRID, CLASSICAL}
    first = told["witnesses"][0]
    assert first["variant"]["provider"] == "cpu"
    assert first["strategies"][0]["pixels"]["largest_by_frame"] == [0] * 2


def test_a_provider_that_does_not_load_is_named_with_its_reason(
    exact_stream: Path, exact_models: Path
) -> None:
    options = CertifyOptions(providers=("tensorrt",), models=exact_models, frames=1)
    certificate = certify(exact_stream, options, silent)
    assert [witness.variant.provider for witness in certificate.witnesses] == ["cpu"]
    (absent,) = certificate.absent
    assert not absent.failed
    assert "has no TensorrtExecutionProvider" in absent.reason
    check_certificate(certificate, Requirement.EXACT)
    check_loaded(certificate, replace(options, providers=()))
    with pytest.raises(ProviderError, match=r"tensorrt in .* has no TensorrtExecutionProvider"):
        check_loaded(certificate, options)


def test_what_the_reference_cannot_decode_has_no_certificate(
    exact_stream: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"does not decode on the reference.*needs network"):
        certify(exact_stream, CertifyOptions(), silent)
    (tmp_path / "none.ecv").write_bytes(b"something else")
    with pytest.raises(BitstreamError, match=r"not an \.ecv stream"):
        certify(tmp_path / "none.ecv", CertifyOptions(), silent)
    with pytest.raises(FileNotFoundError):
        certify(tmp_path / "nowhere.ecv", CertifyOptions(), silent)


# Another environment's Python that does as it is told, and then what its name says.
PYTHONS = {
    "lies": """
for line in lines:
    for scene in line["scenes"]:
        scene["symbols"][-1] = "0" * 64
    say(line)
""",
    "crashes": """
say(lines[0])
os.kill(os.getpid(), signal.SIGSEGV)
""",
    "stutters": """
for line in lines:
    text = json.dumps(line) + chr(10)
    for part in (text[:40], text[40:]):
        with open(request["answers"], "a") as file:
            file.write(part)
        time.sleep(0.3)
with open(request["answers"], "a") as file:
    file.write(text[:40])
sys.exit("no more room")
""",
    "hangs": """
time.sleep(60)
""",
    "lacks": """
sys.exit("ModuleNotFoundError: No module named 'numpy'")
""",
}
SCRIPT = """#!{python}
import json, os, signal, subprocess, sys, time
with open(sys.argv[-1]) as file:
    request = json.load(file)
def say(line):
    with open(request["answers"], "a") as file:
        file.write(json.dumps(line) + chr(10))
own = dict(request, answers=request["answers"] + ".own", variants=request["variants"][: {answers}])
if {answers}:
    with open(sys.argv[-1], "w") as file:
        json.dump(own, file)
    subprocess.run([{python!r}, *sys.argv[1:]], check=True)
    with open(own["answers"]) as file:
        lines = [json.loads(line) for line in file]
{body}
"""


def another(folder: Path, name: str) -> Path:
    path = folder / name
    answers = {"lies": 99, "crashes": 1, "stutters": 2}.get(name, 0)
    path.write_text(SCRIPT.format(python=sys.executable, body=PYTHONS[name], answers=answers))
    path.chmod(0o755)
    return path


def certified_by(
    python: Path, stream: Path, models: Path, timeout: float = 60
) -> tuple[Certificate, CertifyOptions]:
    options = CertifyOptions(("cpu",), (python,), models=models, frames=1, timeout_seconds=timeout)
    return certify(stream, options, silent), options


def test_other_symbols_fail_every_gate(
    exact_stream: Path, exact_models: Path, tmp_path: Path
) -> None:
    python = another(tmp_path, "lies")
    certificate, _ = certified_by(python, exact_stream, exact_models)
    wrong = [each for each in certificate.witnesses if each.environment == str(python)]
    assert [each.strategies[0].symbols_identical for each in wrong] == [False] * 12
    for requirement in Requirement:
        with pytest.raises(GateError, match="semantic_latent: other symbols on 12 of 24"):
            check_certificate(certificate, requirement)


def replayed_by(
    name: str, stream: Path, models: Path, folder: Path
) -> Iterator[Replayed | Refused]:
    """What one, two and four threads of that Python make of a stream."""
    job = Job(another(folder, name), tuple(Variant("cpu", threads=n) for n in (1, 2, 4)), 1)
    samples = folder / "samples"
    samples.write_bytes(bytes(192 * 128 * 3 // 2))
    return replays(job, stream, models, Recording(samples, write=False), 60)


def test_a_crash_spares_the_other_sessions(
    exact_stream: Path, exact_models: Path, tmp_path: Path
) -> None:
    """Each process answers once and dies at the next."""
    first, second, third = replayed_by("crashes", exact_stream, exact_models, tmp_path)
    assert isinstance(first, Replayed)
    assert isinstance(third, Replayed)
    assert second == Refused(
        Variant("cpu", threads=2), "", "the process was killed by SIGSEGV: it printed nothing"
    )


def test_an_answer_that_is_there_in_part_is_waited_for(
    exact_stream: Path, exact_models: Path, tmp_path: Path
) -> None:
    """And is none where the process ends within it."""
    first, second, third = replayed_by("stutters", exact_stream, exact_models, tmp_path)
    assert isinstance(first, Replayed)
    assert isinstance(second, Replayed)
    assert isinstance(third, Refused)
    assert third.reason.endswith("no more room")


def test_a_session_that_failed_fails_every_gate(fast: Certificate) -> None:
    absent = Absent(Variant("cpu"), "", sys.executable, "the process was killed", failed=True)
    for requirement in Requirement:
        with pytest.raises(GateError, match="cpu did not decode: the process was killed"):
            check_certificate(replace(fast, absent=(absent,)), requirement)


@pytest.mark.parametrize(
    ("name", "reason"), [("lacks", "No module named 'numpy'"), ("nowhere", "is no program")]
)
def test_an_interpreter_that_cannot_is_an_error_with_its_reason(
    exact_stream: Path, exact_models: Path, tmp_path: Path, name: str, reason: str
) -> None:
    python = another(tmp_path, name) if name in PYTHONS else tmp_path / name
    certificate, options = certified_by(python, exact_stream, exact_models)
    assert all(reason in each.reason for each in certificate.absent)
    check_certificate(certificate, Requirement.SYMBOLS)  # nothing failed that had begun
    with pytest.raises(ProviderError, match=reason):
        check_loaded(certificate, options)


def test_a_session_that_never_answers_is_stopped(
    exact_stream: Path, exact_models: Path, tmp_path: Path
) -> None:
    python = another(tmp_path, "hangs")
    job = Job(python, (Variant("openvino"),), 1)
    recording = Recording(tmp_path / "samples", write=False)
    (found,) = replays(job, exact_stream, exact_models, recording, 0.5)
    assert isinstance(found, Refused)
    assert found.reason == "no answer within 0.5 s"
