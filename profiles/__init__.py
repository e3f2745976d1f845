"""What a device pays for the networks: operations counted, latency predicted and measured.

    report = profile_models(Path("models"), load_device("snapdragon-40tops"), parse_size("1080p"))
    print(report.fps, report.verdict)

Everywhere 1 MAC (multiply-accumulate) is 2 operations, and a frame runs exactly one network.
"""

from __future__ import annotations

from .advice import Advice
from .compare import ComparedDevice, Comparison, check_all_min_fps, compare_devices
from .count import GraphCost, LayerCost, count_graph, count_model
from .counted import CountedModels, CountedNetwork, count_models
from .cross_check import CrossCheck, cross_check
from .device import (
    Basis,
    Decoding,
    DeviceProfile,
    Figure,
    Label,
    device_names,
    load_device,
    load_devices,
)
from .diff import Difference, DiffRow, diff_reports
from .frame import FrameTime, Stage, Verdict
from .host import predict_host
from .html import html_report, write_html
from .measure import measure
from .measure_apart import measure_apart
from .network import NetworkProfile
from .playable import Playable, Video, playable
from .predictor import Predictor, predictor
from .probe import HostRates, probe
from .providers import Measured, TimedNetwork, measure_networks
from .report import ProfileReport, check_min_fps, profile_models
from .roofline import Interval, LayerTime, Prediction, predict
from .size import FrameSize, parse_size
from .timing import LayerTiming, Measurement, MeasureOptions, Placement, Timing

__all__ = [
    "Advice",
    "Basis",
    "ComparedDevice",
    "Comparison",
    "CountedModels",
    "CountedNetwork",
    "CrossCheck",
    "Decoding",
    "DeviceProfile",
    "DiffRow",
    "Difference",
    "Figure",
    "FrameSize",
    "FrameTime",
    "GraphCost",
    "HostRates",
    "Interval",
    "Label",
    "LayerCost",
    "LayerTime",
    "LayerTiming",
    "MeasureOptions",
    "Measured",
    "Measurement",
    "NetworkProfile",
    "Placement",
    "Playable",
    "Prediction",
    "Predictor",
    "ProfileReport",
    "Stage",
    "TimedNetwork",
    "Timing",
    "Verdict",
    "Video",
    "check_all_min_fps",
    "check_min_fps",
    "compare_devices",
    "count_graph",
    "count_model",
    "count_models",
    "cross_check",
    "device_names",
    "diff_reports",
    "html_report",
    "load_device",
    "load_devices",
    "measure",
    "measure_apart",
    "measure_networks",
    "parse_size",
    "playable",
    "predict",
    "predict_host",
    "predictor",
    "probe",
    "profile_models",
    "write_html",
]
