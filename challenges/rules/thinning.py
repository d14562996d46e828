"""Which observations must be stored so that a replay of what is stored comes to the same verdicts."""

from dataclasses import replace

from challenges.rules.days import local
from challenges.rules.judgement import Judgement
from challenges.rules.state import RunningState
from programs.terms import RuleTerms


def must_keep(before: RunningState, judgement: Judgement, terms: RuleTerms) -> bool:
    """Whether the judged observation changes anything that a later verdict may rest on.

    It does not when the states before and after differ only in the last time and equity, and in the hour, not the day,
    of the last activity. The observation before a day boundary or a finding, and the one after a finding, must be kept
    too: `before.last_at`, `last_balance` and `last_equity` still hold the one before.
    """
    after = judgement.state
    if judgement.days or judgement.findings or before.last_at is None:
        return True
    if local(before.last_active_at, terms).date() != local(after.last_active_at, terms).date():
        return True
    return after != replace(
        before, last_at=after.last_at, last_equity=after.last_equity, last_active_at=after.last_active_at
    )
