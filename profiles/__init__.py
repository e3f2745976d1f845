"""What a device pays for the networks: operations counted, latency predicted and measured.

    report = profile_models(Path("models"), load_device("snapdragon-40tops"), parse_size("1080p"))
    print(report.fps, report.passes)

Everywhere 1 MAC (multiply-accumulate) is 2 operations, and a frame runs exactly one network.
"""

from __future__ import annotations

from .count import GraphCost, LayerCost, count_graph, count_model
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
from .html import html_report, write_html
from .measure import Measurement, MeasureOptions, Placement, Timing, measure
from .playable import Playable, Video, playable
from .report import NetworkProfile, ProfileReport, check_min_fps, profile_models
from .roofline import Interval, LayerTime, Prediction, predict
from .size import FrameSize, parse_size

__all__ = [
    "Basis",
    "CrossCheck",
    "Decoding",
    "DeviceProfile",
    "Figure",
    "FrameSize",
    "GraphCost",
    "Interval",
    "Label",
    "LayerCost",
    "LayerTime",
    "MeasureOptions",
    "Measurement",
    "NetworkProfile",
    "Placement",
    "Playable",
    "Prediction",
    "ProfileReport",
    "Timing",
    "Video",
    "check_min_fps",
    "count_graph",
    "count_model",
    "cross_check",
    "device_names",
    "html_report",
    "load_device",
    "load_devices",
    "measure",
    "parse_size",
    "playable",
    "predict",
    "profile_models",
    "write_html",
]
