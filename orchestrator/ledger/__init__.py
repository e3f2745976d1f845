"""The truth about jobs: what each is, how it stands, who holds it and what came of it."""

from .claims import Claim, Policy, Reason, Refusal
from .ledger import Ledger
from .record import Attempt, Job, Outcome, Progress, Record, State

__all__ = [
    "Attempt",
    "Claim",
    "Job",
    "Ledger",
    "Outcome",
    "Policy",
    "Progress",
    "Reason",
    "Record",
    "Refusal",
    "State",
]
