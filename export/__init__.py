"""Trained networks to the INT8 graphs that devices run, with evidence of what that cost."""

from .loss import LossSample, NetworkLoss, measure_loss
from .manifest import ClipLoss, Manifest, MeasuredOn, NetworkEntry, Placement, Port
from .pipeline import Progress, export_networks
from .plan import ExportOptions, PlannedNetwork, Precision, plan_export
from .samples import SampleSource, base_samples, demo_clips
from .sizes import Size, parse_size
from .targets import Target, find_target, targets

__all__ = [
    "ClipLoss",
    "ExportOptions",
    "LossSample",
    "Manifest",
    "MeasuredOn",
    "NetworkEntry",
    "NetworkLoss",
    "Placement",
    "PlannedNetwork",
    "Port",
    "Precision",
    "Progress",
    "SampleSource",
    "Size",
    "Target",
    "base_samples",
    "demo_clips",
    "export_networks",
    "find_target",
    "measure_loss",
    "parse_size",
    "plan_export",
    "targets",
]
