"""The walls of the house: who may import whom, and what a player never loads."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What each package may import: of ours, and of others beside the standard library.
ARROWS: dict[str, set[str]] = {
    "runtime": set(),
    "decoder": set(),
    "profiles": {"runtime"},
    "export": {"decoder", "runtime"},
    "encoder": {"decoder", "runtime", "export"},
    "evaluation": {"encoder", "runtime"},
    "orchestrator": {"runtime", "encoder", "evaluation", "profiles"},
    "cli": {
        "runtime",
        "decoder",
        "profiles",
        "export",
        "encoder",
        "evaluation",
        "orchestrator",
    },
}
THIRD_PARTY: dict[str, set[str]] = {
    "runtime": {"numpy", "onnxruntime", "onnxruntime_qnn", "av", "constriction"},
    "decoder": {"torch", "safetensors"},
    "profiles": {"numpy", "onnx", "onnxruntime", "torch", "thop", "rich"},
    "export": {
        "numpy",
        "torch",
        "safetensors",
        "onnx",
        "onnxruntime",
        "onnxruntime_qnn",
        "onnxscript",
        "onnxsim",
        "pytorch_msssim",
        "filelock",
        "platformdirs",
        "av",
    },
    "encoder": {
        "numpy",
        "torch",
        "safetensors",
        "onnx",
        "av",
        "imageio_ffmpeg",
        "scenedetect",
        "cv2",
        "PIL",
        "rich",
    },
    "evaluation": {
        "numpy",
        "av",
        "cv2",
        "PIL",
        "imageio_ffmpeg",
        "bjontegaard",
        "matplotlib",
        "rich",
    },
    "orchestrator": {
        "celery",
        "kombu",
        "optuna",
        "boto3",
        "botocore",
        "redis",
        "httpx",
        "tomli_w",
        "filelock",
        "platformdirs",
        "numpy",
        "matplotlib",
        "rich",
    },
    "cli": {"typer", "rich"},
}
PACKAGES = tuple(package for package in ARROWS if (ROOT / package / "__init__.py").exists())


def sources() -> list[Path]:
    return sorted(path for package in ARROWS for path in (ROOT / package).rglob("*.py"))


def imported(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """Full names of the modules that a file of `package` imports, at its top or anywhere inside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - (node.level - 1)]
            assert base, "a relative import leaves edgecodec"
            if node.module:
                yield ".".join((*base, node.module))
            else:
                yield from (".".join((*base, alias.name)) for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func).rpartition(".")[2]
            argument = node.args[0]
            if name in {"import_module", "__import__"} and isinstance(argument, ast.Constant):
                yield importlib.util.resolve_name(str(argument.value), ".".join(package))


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `statement`."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    others: set[str] = set()
    folder = ("edgecodec", *path.relative_to(ROOT).parent.parts)
    for module in imported(path.read_text(encoding="utf-8"), folder):
        top, _, rest = module.partition(".")
        if top == "edgecodec":
            target = rest.partition(".")[0]
            assert target == package or target in ARROWS[package], f"{package} imports {module}"
        elif top not in sys.stdlib_module_names:
            others.add(top)
    assert others <= THIRD_PARTY[package]


def test_the_scan_sees_nested_relative_and_dynamic_imports() -> None:
    source = """
from ..encoder.api import encode
from . import frames
from .. import export
def late():
    import torch.nn
    from ..decoder import build
    importlib.import_module("..profiles", __package__)
    __import__("typer")
"""
    assert set(imported(source, ("edgecodec", "runtime"))) == {
        "edgecodec.encoder.api",
        "edgecodec.runtime.frames",
        "edgecodec.export",
        "torch.nn",
        "edgecodec.decoder",
        "edgecodec.profiles",
        "typer",
    }


def test_a_player_loads_no_training_export_or_terminal_library() -> None:
    loaded = loaded_by("import edgecodec.runtime")
    assert "numpy" in loaded
    assert not loaded & {"torch", "onnx", "onnxscript", "typer", "rich", "cv2", "matplotlib"}


def test_a_prediction_loads_no_torch() -> None:
    loaded = loaded_by("import edgecodec.profiles")
    assert not loaded & {"torch", "thop", "matplotlib", "cv2"}


def test_engines_and_clouds_are_loaded_when_they_are_used() -> None:
    loaded = loaded_by("import edgecodec.orchestrator")
    assert not loaded & {"celery", "kombu", "optuna", "boto3", "redis", "httpx", "torch", "rich"}


def test_the_command_line_starts_without_anything_heavy() -> None:
    loaded = loaded_by("import edgecodec.cli.app")
    assert "typer" in loaded
    assert not loaded & {"torch", "onnx", "onnxruntime", "numpy", "av", "cv2", "matplotlib"}


@pytest.mark.parametrize("package", PACKAGES)
def test_everything_that_a_package_names_is_there(package: str) -> None:
    module = importlib.import_module(f"edgecodec.{package}")
    names = getattr(module, "__all__", [])
    assert [name for name in names if not hasattr(module, name)] == []


def test_the_wheel_leaves_no_folder_and_no_file_out() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setuptools = configured["tool"]["setuptools"]
    folders = {path.relative_to(ROOT).parent for path in sources()}
    packages = {".".join(("edgecodec", *folder.parts)) for folder in folders}
    assert set(setuptools["packages"]) == packages
    shipped: set[Path] = set()
    for package in ARROWS:
        data = setuptools["package-data"]
        for pattern in (*data["*"], *data.get(f"edgecodec.{package}", ())):
            shipped.update((ROOT / package).glob(pattern))
    assert [path for path in data_files() if path not in shipped] == []
    assert [package for package in ARROWS if ROOT / package / "py.typed" not in shipped] == []


def data_files() -> list[Path]:
    files = (path for package in ARROWS for path in (ROOT / package).rglob("*") if path.is_file())
    return [path for path in files if path.suffix != ".py" and path.parent.name != "__pycache__"]
