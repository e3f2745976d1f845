"""One of several careless workers: `contender.py URL NAME SEED`.

It takes open jobs until none is left. Most it ends; some it fails, gives back, cancels, or leaves
lying until their lease is over and tries to end all the same. It says, a line each, which ends the
ledger took from it.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator

from edgecodec.orchestrator.ledger import Claim, Ledger, Policy
from edgecodec.orchestrator.tables import open_table

POLICY = Policy(lease_s=0.2, most_attempts=4, backoff_s=0.01, longest_backoff_s=0.02, resend_s=0.1)
LIMIT_S = 100.0


def work(ledger: Ledger, name: str, seed: int) -> Iterator[str]:
    """The ids of the jobs that this worker ended as done."""
    chance = random.Random(seed)
    abandoned: list[Claim] = []
    give_up = time.monotonic() + LIMIT_S
    while any(record.state.open for record in ledger.records()):
        if time.monotonic() > give_up:
            raise TimeoutError(f"jobs were open after {LIMIT_S:g} s")
        due = ledger.due()
        chance.shuffle(due)
        for id in due:
            claim = ledger.claim(id, name)
            if isinstance(claim, Claim):
                yield from _end(ledger, claim, abandoned, chance)
        for claim in abandoned[:2]:
            yield from _finish(ledger, claim)
            abandoned.remove(claim)
    # The dead come back, too.
    for claim in abandoned:
        yield from _finish(ledger, claim)


def _end(
    ledger: Ledger, claim: Claim, abandoned: list[Claim], chance: random.Random
) -> Iterator[str]:
    luck = chance.random()
    if luck < 0.5:
        yield from _finish(ledger, claim)
    elif luck < 0.6:
        ledger.fail(claim, "bad luck")
    elif luck < 0.7:
        ledger.release(claim)
    elif luck < 0.73:
        ledger.cancel(claim.job.id)
        ledger.retry(claim.job.id)
    elif luck < 0.8:
        time.sleep(POLICY.lease_s / 4)
        ledger.renew(claim)
        yield from _finish(ledger, claim)
    else:
        abandoned.append(claim)


def _finish(ledger: Ledger, claim: Claim) -> Iterator[str]:
    if ledger.finish(claim, {"worker": claim.worker, "attempt": claim.number}):
        yield claim.job.id


if __name__ == "__main__":
    url, name, seed = sys.argv[1:]
    table = open_table(url)
    print(json.dumps(list(work(Ledger(table, POLICY), name, int(seed)))))
    table.close()
