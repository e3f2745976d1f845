"""Proof that a stream decodes to the same symbols, and where it is promised to the same pixels, on
every provider that loads here."""

from .certificate import (
    Absent,
    Certificate,
    PixelDifference,
    Requirement,
    StrategyReport,
    StrategyVerdict,
    Witness,
    check_certificate,
)
from .certify import certify, check_loaded
from .plan import CertifyOptions

__all__ = [
    "Absent",
    "Certificate",
    "CertifyOptions",
    "PixelDifference",
    "Requirement",
    "StrategyReport",
    "StrategyVerdict",
    "Witness",
    "certify",
    "check_certificate",
    "check_loaded",
]
