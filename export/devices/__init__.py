"""Vendors' compilers: a network becomes what a device loads, and runs where it can."""

from ...runtime.qnn import QNN_PROVIDER
from .artefact import Artefact, require_compiled
from .difference import Difference, Outputs, compare
from .qnn import compile_qnn, qnn_tool
from .running import Running, run_engine, run_provider
from .shapes import fix_size
from .socs import Soc, find_soc, known_socs
from .tensorrt import (
    TENSORRT_PROVIDER,
    Library,
    build_engines,
    choose_capability,
    default_capabilities,
    find_tensorrt,
    known_capabilities,
    parse_capability,
    present_capability,
)

__all__ = [
    "QNN_PROVIDER",
    "TENSORRT_PROVIDER",
    "Artefact",
    "Difference",
    "Library",
    "Outputs",
    "Running",
    "Soc",
    "build_engines",
    "choose_capability",
    "compare",
    "compile_qnn",
    "default_capabilities",
    "find_soc",
    "find_tensorrt",
    "fix_size",
    "known_capabilities",
    "known_socs",
    "parse_capability",
    "present_capability",
    "qnn_tool",
    "require_compiled",
    "run_engine",
    "run_provider",
]
