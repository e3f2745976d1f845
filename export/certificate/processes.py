"""Decoding in processes of their own: a crash or a hang there becomes a message here."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...runtime import replay_process
from ...runtime.errors import ProviderError
from ...runtime.replay import FrameDifference, Recording, SceneReplay, Variant
from ..devices.process import ending
from .plan import Job

# Another environment has no edgecodec: these sources stand in for it, of which the runtime alone is
# imported.
_START = (
    "import runpy, sys, types; "
    "package = types.ModuleType('edgecodec'); "
    "package.__path__ = [sys.argv.pop(1)]; "
    "sys.modules['edgecodec'] = package; "
    f"runpy.run_module({replay_process.__name__!r}, run_name='__main__')"
)
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Replayed:
    """What the stream decoded to on one session; `tool` names its ONNX Runtime."""

    variant: Variant
    tool: str
    seconds: float
    scenes: tuple[SceneReplay, ...]


@dataclass(frozen=True)
class Refused:
    """Why there is nothing; `error` is the exception's type, "" where the process itself ended."""

    variant: Variant
    error: str
    reason: str


def replays(
    job: Job, stream: Path, models: Path | None, recording: Recording, timeout_seconds: float
) -> Iterator[Replayed | Refused]:
    """What comes of each of the job's variants, in their order, as it is done.

    After a crash, or a variant that takes longer than `timeout_seconds`, the rest go on in another
    process.
    """
    left = job.variants
    while left:
        answered = 0
        reason = ""
        with TemporaryDirectory(prefix="edgecodec-certify-") as name:
            request = {
                "stream": str(stream.resolve()),
                "models": None if models is None else str(models.resolve()),
                "frames": job.frames,
                "recording": {"path": str(recording.path), "write": recording.write},
                "variants": [asdict(variant) for variant in left],
                "answers": str(Path(name, "answers.jsonl")),
            }
            running = _Process(job.python, request, Path(name))
            try:
                for answer in running.answers(timeout_seconds):
                    yield _read(left[answered], answer)
                    answered += 1
            finally:
                reason = running.end()
        if answered < len(left):
            yield Refused(left[answered], running.error, reason)
        left = left[answered + 1 :]


class _Process:
    """A running `replay_process`. `error` is "ProviderError" where its Python cannot run it."""

    def __init__(self, python: Path, request: dict[str, Any], folder: Path) -> None:
        path = folder / "request.json"
        path.write_text(json.dumps(request), encoding="utf-8")
        self._answers = folder / "answers.jsonl"
        self._answers.touch()
        self._errors = folder / "errors.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._reason = ""
        self.error = ""
        found = shutil.which(python)
        if found is None:
            self._reason = f"{python} is no program that can be run"
            self.error = ProviderError.__name__
            return
        root = Path(replay_process.__file__).parents[1].absolute()
        # Not resolved: an environment's Python is known by the link that it is called through.
        command = [str(Path(found).absolute()), "-P", "-c", _START, str(root), str(path)]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def answers(self, timeout_seconds: float) -> Iterator[dict[str, Any]]:
        """Each answer as it is there, until the process ends or takes too long for one."""
        last = time.monotonic()
        begun = ""
        with self._answers.open(encoding="utf-8") as file:
            while self._process is not None:
                ended = self._process.poll() is not None
                # The last line may be there in part only.
                *lines, begun = (begun + file.read()).split("\n")
                for line in lines:
                    yield json.loads(line)
                if ended:
                    return
                if lines:
                    last = time.monotonic()
                elif time.monotonic() - last > timeout_seconds:
                    self._reason = f"no answer within {timeout_seconds:g} s"
                    return
                else:
                    time.sleep(_POLL_SECONDS)

    def end(self) -> str:
        """Stop it if it still runs, and say what ended it."""
        if self._process is not None:
            self._process.kill()
            code = self._process.wait()
            said = self._last_line()
            if said.startswith(ModuleNotFoundError.__name__):
                self.error = ProviderError.__name__
            self._reason = self._reason or f"{ending(code)}: {said}"
        return self._reason

    def _last_line(self) -> str:
        lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it printed nothing"


def _read(variant: Variant, answer: dict[str, Any]) -> Replayed | Refused:
    if "error" in answer:
        return Refused(variant, answer["error"], answer["message"])
    scenes = tuple(_scene(scene) for scene in answer["scenes"])
    return Replayed(variant, answer["tool"], answer["seconds"], scenes)


def _scene(fields: dict[str, Any]) -> SceneReplay:
    differences = tuple(FrameDifference(**each) for each in fields["differences"])
    symbols = tuple(fields["symbols"])
    return SceneReplay(**(fields | {"symbols": symbols, "differences": differences}))
