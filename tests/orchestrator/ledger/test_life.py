"""Any order of events: what the ledger says agrees with a plain account of what was done."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgecodec.orchestrator.ledger import (
    Claim,
    Job,
    Ledger,
    Outcome,
    Policy,
    Progress,
    Reason,
    Record,
    State,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ..memory_table import Clock, MemoryTable

POLICY = Policy(lease_s=10, most_attempts=2, backoff_s=4, longest_backoff_s=6, resend_s=50)
IDS = ("a", "b")
ids = st.sampled_from(IDS)
workers = st.sampled_from(("one", "two"))
# Which of the claims so far; later ones are likelier to be of interest.
chosen = st.integers(0, 5)


@dataclass
class Account:
    """What must be true of a job."""

    state: State = State.QUEUED
    tries: int = 0
    attempts: int = 0
    holder: Claim | None = None
    until: float = 0.0
    not_before: float = 0.0
    results: list[object] = field(default_factory=list)


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.table = MemoryTable()
        self.ledger = Ledger(self.table, POLICY, self.clock)
        self.accounts: dict[str, Account] = {}
        self.claims: list[Claim] = []

    @rule(id=ids)
    def add(self, id: str) -> None:
        assert self.ledger.add(Job("probe", id, {})) == (id not in self.accounts)
        self.accounts.setdefault(id, Account())

    @rule(seconds=st.sampled_from((1.0, 3.0, 5.0, 10.0, 60.0)))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(id=ids, worker=workers)
    def claim(self, id: str, worker: str) -> None:
        got = self.ledger.claim(id, worker)
        account = self.accounts.get(id)
        if account is None:
            assert not isinstance(got, Claim)
            assert got.reason is Reason.UNKNOWN
            return
        free = account.state is State.QUEUED and self.clock.now >= account.not_before
        lapsed = account.state is State.RUNNING and self.clock.now >= account.until
        if lapsed and account.tries == POLICY.most_attempts:
            assert not isinstance(got, Claim)
            assert (got.reason, got.died) == (Reason.DEAD, True)
            account.state, account.holder = State.DEAD, None
        elif free or lapsed:
            assert isinstance(got, Claim)
            account.state, account.holder = State.RUNNING, got
            account.tries += 1
            account.attempts += 1
            account.until = self.clock.now + POLICY.lease_s
            self.claims.append(got)
        else:
            assert not isinstance(got, Claim)
            assert not got.died

    @rule(back=chosen)
    def renew(self, back: int) -> None:
        for claim in self._claim(back):
            held = self._held(claim)
            assert self.ledger.renew(claim, Progress(0.5, "half")) == (held is not None)
            if held:
                held.until = self.clock.now + POLICY.lease_s

    @rule(back=chosen)
    def finish(self, back: int) -> None:
        for claim in self._claim(back):
            held = self._held(claim)
            result = {"token": claim.token}
            again = result in self.accounts[claim.job.id].results
            assert self.ledger.finish(claim, result) == (held is not None or again)
            if held:
                held.state, held.holder = State.DONE, None
                held.results.append(result)

    @rule(back=chosen, final=st.booleans())
    def fail(self, back: int, final: bool) -> None:
        for claim in self._claim(back):
            held = self._held(claim)
            self.ledger.fail(claim, "broken", final=final)
            if held:
                dead = final or held.tries == POLICY.most_attempts
                held.state, held.holder = State.DEAD if dead else State.QUEUED, None
                held.not_before = self.clock.now + (4 if held.tries == 1 else 6)

    @rule(back=chosen)
    def release(self, back: int) -> None:
        for claim in self._claim(back):
            held = self._held(claim)
            assert self.ledger.release(claim) == (held is not None)
            if held:
                held.state, held.holder, held.not_before = State.QUEUED, None, 0.0
                held.tries -= 1

    @rule(id=ids)
    def cancel(self, id: str) -> None:
        account = self.accounts.get(id)
        open_ = account is not None and account.state.open
        assert self.ledger.cancel(id) == open_
        if account is not None and open_:
            account.state, account.holder = State.CANCELLED, None

    @rule(id=ids)
    def retry(self, id: str) -> None:
        account = self.accounts.get(id)
        ended = account is not None and account.state in (State.DEAD, State.CANCELLED)
        assert self.ledger.retry(id) == ended
        if account is not None and ended:
            account.state, account.tries, account.not_before = State.QUEUED, 0, 0.0

    @rule()
    def send_what_is_due(self) -> None:
        for id in self.ledger.due():
            self.ledger.mark_sent(id)
        assert self.ledger.due() == []

    @invariant()
    def the_ledger_agrees(self) -> None:
        records = {record.job.id: record for record in self.ledger.records()}
        assert records.keys() == self.accounts.keys()
        for id, account in self.accounts.items():
            self._agrees(records[id], account)

    @invariant()
    def whoever_asks_is_told_of_all_that_waits(self) -> None:
        """Nothing is forgotten: some time later each open job that nobody holds is due."""
        now, self.clock.now = self.clock.now, self.clock.now + 1000
        open_ = [id for id, account in self.accounts.items() if account.state.open]
        assert self.ledger.due() == sorted(open_)
        self.clock.now = now

    def _agrees(self, record: Record, account: Account) -> None:
        assert (record.state, record.tries) == (account.state, account.tries)
        assert len(record.attempts) == account.attempts
        running = [each for each in record.attempts if each.outcome is Outcome.RUNNING]
        assert [each.token for each in running] == (
            [account.holder.token] if account.holder else []
        )
        assert ([] if record.result is None else [record.result]) == account.results

    def _claim(self, back: int) -> list[Claim]:
        return [self.claims[-1 - back]] if back < len(self.claims) else []

    def _held(self, claim: Claim) -> Account | None:
        account = self.accounts[claim.job.id]
        return account if account.holder == claim else None


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
