"""What decoding a stream in many ways showed, and whether that is enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from ...runtime.errors import GateError
from ...runtime.replay import Variant


class Requirement(StrEnum):
    """SYMBOLS: what networks get from the bitstream is the same everywhere. EXACT: so are the
    pixels of strategies that predict frames from what networks gave for others."""

    SYMBOLS = "symbols"
    EXACT = "exact"


@dataclass(frozen=True)
class PixelDifference:
    """How far samples are from the reference's, over all frames compared.

    `share` of them differ (0 to 1), by at most `largest` levels of the video's depth; `mean` is the
    mean absolute difference of all, those that agree included. `largest_by_frame` is in display
    order: how it grows shows what references add.
    """

    share: float
    largest: int
    mean: float
    largest_by_frame: tuple[int, ...]

    @property
    def identical(self) -> bool:
        """Whether no sample differs."""
        return self.largest == 0


@dataclass(frozen=True)
class StrategyReport:
    """One strategy's scenes on one session.

    `network_runs` of networks made some of the `frames`. `symbols_identical` is None where no
    network ran. The SHA-256s, of symbols and of samples, are for comparing with other machines'
    certificates.
    """

    strategy: str
    feeds_references: bool
    frames: int
    network_runs: int
    symbols_identical: bool | None
    pixels: PixelDifference
    symbols_sha256: str
    pixels_sha256: str


@dataclass(frozen=True)
class Witness:
    """A session that decoded the stream. `device` names what a simulator plays."""

    variant: Variant
    device: str
    environment: str
    tool: str
    seconds: float
    strategies: tuple[StrategyReport, ...]


@dataclass(frozen=True)
class Absent:
    """A session that did not decode: the provider did not load, or with `failed` it did and then
    came to no end."""

    variant: Variant
    device: str
    environment: str
    reason: str
    failed: bool


@dataclass(frozen=True)
class StrategyVerdict:
    """One strategy on all sessions: how many gave other symbols, how many other pixels, and the
    worst of the latter."""

    strategy: str
    feeds_references: bool
    witnesses: int
    symbols_differ: int
    pixels_differ: int
    largest: int
    share: float


@dataclass(frozen=True)
class Certificate:
    """The result. `witnesses` begin with the reference, which all others are compared with."""

    stream: Path
    sha256: str
    witnesses: tuple[Witness, ...]
    absent: tuple[Absent, ...]

    @property
    def verdicts(self) -> tuple[StrategyVerdict, ...]:
        """A verdict for each strategy of the stream."""
        return tuple(
            self._verdict(report.strategy, report.feeds_references)
            for report in self.witnesses[0].strategies
        )

    def to_dict(self) -> dict[str, object]:
        """All of it, for JSON."""
        return {
            "stream": str(self.stream),
            "sha256": self.sha256,
            "strategies": [asdict(verdict) for verdict in self.verdicts],
            "witnesses": [asdict(witness) for witness in self.witnesses],
            "absent": [asdict(absent) for absent in self.absent],
        }

    def _verdict(self, strategy: str, feeds_references: bool) -> StrategyVerdict:
        reports = list(self._reports(strategy))
        differing = [report.pixels for report in reports if not report.pixels.identical]
        return StrategyVerdict(
            strategy=strategy,
            feeds_references=feeds_references,
            witnesses=len(reports),
            symbols_differ=sum(report.symbols_identical is False for report in reports),
            pixels_differ=len(differing),
            largest=max((pixels.largest for pixels in differing), default=0),
            share=max((pixels.share for pixels in differing), default=0.0),
        )

    def _reports(self, strategy: str) -> Iterator[StrategyReport]:
        for witness in self.witnesses:
            yield from (each for each in witness.strategies if each.strategy == strategy)


def check_certificate(certificate: Certificate, requirement: Requirement) -> None:
    """Raises GateError where the certificate does not show what is required."""
    problems = [
        f"{verdict.strategy}: other symbols on {verdict.symbols_differ} of {verdict.witnesses}"
        for verdict in certificate.verdicts
        if verdict.symbols_differ
    ]
    if requirement is Requirement.EXACT:
        problems += [
            f"{verdict.strategy}: other pixels on {verdict.pixels_differ} of {verdict.witnesses}, "
            f"by up to {verdict.largest} levels, and later frames are predicted from them"
            for verdict in certificate.verdicts
            if verdict.feeds_references and verdict.pixels_differ
        ]
    # Levels and thread counts often fail alike.
    problems += dict.fromkeys(
        f"{absent.variant.provider} did not decode: {absent.reason}"
        for absent in certificate.absent
        if absent.failed
    )
    if problems:
        raise GateError(f"{certificate.stream}: {'; '.join(problems)}")
