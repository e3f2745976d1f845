"""The loop that every training runs: blocks of steps, INT8 arithmetic at the end, checkpoints."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...decoder import TIERS
from ...export.quantization.recipe import Arithmetic
from .checkpoint import Progress, load_checkpoint, save_checkpoint
from .fake_quant import int8_arithmetic
from .schedule import Deadline, Schedule

_log = logging.getLogger(__name__)
_LOGGED_STEPS = 500


@dataclass(frozen=True)
class Job:
    """What is trained.

    `networks` are all of them by name, `light` names those that devices run in INT8. A parameter
    group of `optimizer` may have a `share` of the scheduled rate, 1 if it has none. Gradients are
    clipped to `max_norm`. `arithmetic` is the INT8 arithmetic of the last steps.
    """

    networks: dict[str, nn.Module]
    light: tuple[str, ...]
    optimizer: torch.optim.Optimizer
    max_norm: float
    arithmetic: Arithmetic = Arithmetic.FAST


def run(
    job: Job,
    loss_at: Callable[[np.random.Generator, int], Tensor],
    checkpoint: Path,
    schedule: Schedule,
    deadline: Deadline,
    seed: int,
) -> Progress:
    """Run `schedule` until it or `deadline` ends; resumes from `checkpoint`, and writes it.

    `loss_at` gives the loss of the step with that number, drawing its data with the generator.
    """
    optimizer = job.optimizer
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    done = Progress()
    if checkpoint.exists():
        done = load_checkpoint(checkpoint, job.networks, optimizer)
    began = done.seconds
    running: list[float] = []
    stopping = deadline.passed
    while done.step < schedule.steps and not stopping:
        # By the step, so that a run that was stopped goes on as if it had not been.
        random = np.random.default_rng((seed, done.step))
        with ExitStack() as stack:
            if schedule.quantized(done.step):
                # The parametrisation is costly to set up: stay in it for a block of steps.
                for name in job.light:
                    stack.enter_context(int8_arithmetic(job.networks[name], job.arithmetic))
            for _ in range(schedule.block(done.step)):
                for group in optimizer.param_groups:
                    group["lr"] = group.get("share", 1.0) * schedule.rate(done.step)
                loss = loss_at(random, done.step)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, job.max_norm)
                optimizer.step()
                done.step += 1
                running.append(loss.item())
        done.seconds = began + deadline.elapsed
        stopping = deadline.passed
        if done.step % _LOGGED_STEPS == 0 or stopping or done.step >= schedule.steps:
            point = (done.step, sum(running) / len(running), schedule.rate(done.step))
            done.curve.append(point)
            running.clear()
            _log.info("step %d  loss %.4f  rate %.1e  %.0f s", *point, done.seconds)
            save_checkpoint(checkpoint, job.networks, optimizer, done)
    return done


def command(
    description: str | None, steps: int, rate: float, batch: int
) -> argparse.ArgumentParser:
    """A parser with the options that every training has, and these defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--tier", choices=sorted(TIERS), default="nano")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser
