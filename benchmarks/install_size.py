"""What a player installs, and how long its first import takes.

    python benchmarks/install_size.py [--extra cpu] [--runs 15] [--folder DIR]

Installs this checkout with an extra into an environment of its own (in DIR, which is kept, or else
in a temporary folder) and prints JSON: the bytes that each distribution brought, the modules of the
heavy half that are there (there should be none), and what a new process takes until it has imported
something: seconds, and CPU seconds, which say more on a machine with other work. Those runs go
round in turns, so that a machine whose speed drifts favours nobody, and the interpreter alone,
`empty`, is one of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMPORTS = {
    "empty": "pass",
    "numpy": "import numpy",
    "av": "import av",
    "edgecodec.runtime": "import edgecodec.runtime",
    "edgecodec.runtime and onnxruntime": "import edgecodec.runtime, onnxruntime",
}
HEAVY = ("torch", "onnx", "safetensors", "typer", "rich", "scipy", "matplotlib", "cv2")

# Runs in the new environment, which has nothing but what is measured.
_SIZES = """
import importlib.metadata, json, pathlib
sizes = {}
for each in importlib.metadata.distributions():
    files = [pathlib.Path(each.locate_file(file)) for file in each.files or ()]
    sizes[each.metadata["Name"]] = sum(file.stat().st_size for file in files if file.is_file())
print(json.dumps(sizes))
"""


def installed(folder: Path, extra: str) -> Path:
    """A fresh environment's interpreter, after the installation."""
    venv.create(folder, with_pip=True, clear=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    with tempfile.TemporaryDirectory() as scratch:
        source = copied(Path(scratch) / "source")
        target = f"{source}[{extra}]" if extra else str(source)
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-compile", target], check=True)
    return python


def copied(target: Path) -> Path:
    """What is packaged of this checkout: building it here would leave its own folders behind."""
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for folder in configured["tool"]["setuptools"]["package-dir"].values():
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, target / folder)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target / name)
    return target


def answer(python: Path, script: str) -> str:
    """What a script prints in that environment, outside of this checkout."""
    done = subprocess.run(
        [python, "-c", script], check=True, capture_output=True, text=True, cwd=python.parent
    )
    return done.stdout


def sizes(python: Path) -> dict[str, int]:
    """Bytes by distribution, largest first, without what every environment has."""
    found: dict[str, int] = json.loads(answer(python, _SIZES))
    kept = {name: size for name, size in found.items() if name not in ("pip", "setuptools")}
    return dict(sorted(kept.items(), key=lambda item: -item[1]))


def heavy_modules(python: Path) -> list[str]:
    """Which of the heavy half's modules can be imported there."""
    script = f"import importlib.util as u; print(*[n for n in {HEAVY!r} if u.find_spec(n)])"
    return answer(python, script).split()


def import_times(python: Path, runs: int) -> dict[str, dict[str, dict[str, float]]]:
    """Times of a new process each; the first round, which writes bytecode, does not count."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in IMPORTS}
    for _ in range(runs + 1):
        for name, script in IMPORTS.items():
            began, worked = time.perf_counter(), _children_seconds()
            answer(python, script)
            taken[name].append((time.perf_counter() - began, _children_seconds() - worked))
    return {
        name: {
            "seconds": _spread([wall for wall, _ in values[1:]]),
            "cpu_seconds": _spread([cpu for _, cpu in values[1:]]),
        }
        for name, values in taken.items()
    }


def _children_seconds() -> float:
    """CPU time of all processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "lowest": round(min(values), 3),
        "highest": round(max(values), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extra", default="cpu", help="an extra of pyproject.toml, or ''")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        python = installed(arguments.folder or Path(scratch) / "venv", arguments.extra)
        found = sizes(python)
        report = {
            "extra": arguments.extra,
            "bytes": sum(found.values()),
            "bytes_by_distribution": found,
            "heavy_modules": heavy_modules(python),
            "imports": import_times(python, arguments.runs),
            "python": platform.python_version(),
            "machine": platform.platform(),
        }
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
