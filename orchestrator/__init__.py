"""Experiments and long encodes on other machines: design, dispatch, wait, analyse; never encode.

`Dispatcher` hands jobs to the workers of a `Deployment`; `docs/experiments.md` has the loop as a
verb. Celery, Optuna and boto3 are loaded when they are needed.
"""

from .deployment import Deployment
from .dispatch import Dispatcher
from .ledger import Job, Ledger, Policy, Record, State
from .records import Clip, ClipResult, EncodeSettings, Experiment, Result, TargetSpec

__all__ = [
    "Clip",
    "ClipResult",
    "Deployment",
    "Dispatcher",
    "EncodeSettings",
    "Experiment",
    "Job",
    "Ledger",
    "Policy",
    "Record",
    "Result",
    "State",
    "TargetSpec",
]
