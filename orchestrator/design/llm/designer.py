"""A designer that asks a language model, and falls back on statistics where that does not help."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...records import EncodeSettings
from ..base import Designer, Proposal, Trial
from ..goal import Goal
from ..space import Space
from .model import CutOff, LanguageModel, Turn, Unanswered
from .prompt import again_prompt, answer_schema, request_prompt, system_prompt
from .reading import read_answer

# A wrong answer is sent back once.
_QUESTIONS = 2


@dataclass(frozen=True)
class LanguageModelDesigner:
    """Tells `model` the goal, the space and the history, and takes of its answer what holds.

    Where too little does, after it was asked again once, or the service gives none, `fallback`
    proposes the rest; its proposals say why.
    """

    model: LanguageModel
    space: Space
    goal: Goal
    fallback: Designer

    def propose(
        self, history: Sequence[Trial], pending: Sequence[EncodeSettings], count: int
    ) -> list[Proposal]:
        """See `Designer.propose`. Raises DispatchError for what the user has to mend: a wrong
        key, an unknown model."""
        canonical = self.space.canonical
        taken = {canonical(each.settings) for each in history} | set(map(canonical, pending))
        left = self.space.size() - sum(map(self.space.holds, taken))
        count = min(count, left)
        if count < 1:
            return []
        proposals, trouble = self._ask(history, pending, taken, count)
        if trouble:
            logging.getLogger(__name__).warning(
                "%s %s: statistics propose instead", self.model.name, trouble
            )
            wanted = count - len(proposals)
            also = [*pending, *(each.settings for each in proposals)]
            proposals += [
                replace(each, why=f"the language model {trouble}; {each.why}")
                for each in self.fallback.propose(history, also, wanted)
            ]
        return proposals

    def _ask(
        self,
        history: Sequence[Trial],
        pending: Sequence[EncodeSettings],
        taken: set[EncodeSettings],
        count: int,
    ) -> tuple[list[Proposal], str]:
        """What the model proposes, and why there is less than it was asked for; "" where it gave
        sound proposals only."""
        turns = [Turn("user", request_prompt(self.space, self.goal, history, pending, count))]
        schema = answer_schema(self.space)
        proposals: list[Proposal] = []
        trouble = ""
        for _ in range(_QUESTIONS):
            text = ""
            problems: tuple[str, ...] = ()
            try:
                text = self.model.answer(system_prompt(), turns, schema)
            except CutOff as error:
                problems = (f"the answer {error}: be shorter",)
            except Unanswered as error:
                return proposals, str(error)
            else:
                known = taken | {each.settings for each in proposals}
                read = read_answer(text, self.space, self.goal, known, count - len(proposals))
                proposals += [Proposal(each, self.model.name, why) for each, why in read.good]
                problems = read.problems
            if not problems or len(proposals) == count:
                return proposals, ""
            trouble = f"gave no sound answer ({problems[0]:.200})"
            turns += [Turn("assistant", text)] if text.strip() else []
            turns.append(Turn("user", again_prompt(problems, count - len(proposals))))
        return proposals, trouble
