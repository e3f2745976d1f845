"""Experiments as jobs of the ledger, and back."""

from __future__ import annotations

from .ledger.record import Job
from .records import Experiment

KIND = "experiment"
_VMAF = "vmaf"


def experiment_job(experiment: Experiment, *, vmaf: bool) -> Job:
    """What a worker is asked to do: the experiment, `vmaf` measured too or not.

    The job's name is the experiment's; with VMAF another, because a result without one does not
    serve who needs it.
    """
    name = f"{experiment.id}-{_VMAF}" if vmaf else experiment.id
    return Job(KIND, name, experiment.to_dict() | ({_VMAF: True} if vmaf else {}))


def experiment_of(job: Job) -> Experiment:
    """What `experiment_job` made a job of. Raises UnsupportedError that names what is wrong."""
    content = {name: value for name, value in job.payload.items() if name != _VMAF}
    return Experiment.from_dict(content, f"job {job.id}")
