"""Trained networks to the INT8 graphs that devices run, with evidence of what that cost."""

from .cache import Cache, default_cache_folder
from .calibration import RangeMethod
from .gates import device_bytes, gate_failures
from .html import html_report, write_html
from .loss import LossSample, measure_loss
from .manifest import Manifest, MeasuredOn, NetworkEntry
from .network_stages import stage_names
from .options import ExportOptions, Precision
from .pipeline import Progress, export_networks
from .plan import PlannedNetwork, plan_export
from .quantization import Arithmetic
from .records import ClipFile, ClipLoss, Gates, NetworkLoss, Placement, Port
from .sample_sets import CALIBRATION_SKIP, ClipSamples, base_source
from .samples import SampleSource, base_samples, demo_clips
from .sizes import Size, parse_size
from .targets import Target, find_target, targets

__all__ = [
    "CALIBRATION_SKIP",
    "Arithmetic",
    "Cache",
    "ClipFile",
    "ClipLoss",
    "ClipSamples",
    "ExportOptions",
    "Gates",
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
    "RangeMethod",
    "SampleSource",
    "Size",
    "Target",
    "base_samples",
    "base_source",
    "default_cache_folder",
    "demo_clips",
    "device_bytes",
    "export_networks",
    "find_target",
    "gate_failures",
    "html_report",
    "measure_loss",
    "parse_size",
    "plan_export",
    "stage_names",
    "targets",
    "write_html",
]
