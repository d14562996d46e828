"""Which faults are in force, and when the dice let one happen. What each of them does: `injections`.

The ping and the control surface are never faulted, and neither are requests with a wrong key.
"""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from brokers.simulator.broker_api import READS, WRITES
from brokers.simulator.fields import Fields, fields_of
from brokers.simulator.injections import ALL, FAULTS, LONGEST_SECONDS
from brokers.simulator.options import Options
from brokers.simulator.refusals import RefusedError
from brokers.simulator.store import Store

GROUPS = {"*": ALL, "writes": WRITES, "reads": READS}
# Stands for any fault that makes sense at the endpoint, each as likely as the next.
MIX = "mix"
STALE = "stale_read"


@dataclass(slots=True)
class Rule:
    """Inject `fault` at `endpoint` with this probability, at most `times` times.

    `endpoint` is the last part of a path or one of GROUPS; `fault` is one of FAULTS or MIX.
    """

    endpoint: str
    fault: str
    probability: float = 1.0
    times: int | None = None
    seconds: float = 1.0
    injected: int = 0

    def possible(self, endpoint: str) -> list[str]:
        """The faults that this rule may still inject at an endpoint."""
        if self.times is not None and self.injected >= self.times:
            return []
        if endpoint not in GROUPS.get(self.endpoint, {self.endpoint}):
            return []
        return [name for name in self._names() if endpoint in FAULTS[name].endpoints]

    def is_senseless(self) -> bool:
        """Whether the rule can never inject anything."""
        endpoints = GROUPS.get(self.endpoint, frozenset({self.endpoint}))
        return not any(FAULTS[name].endpoints & endpoints for name in self._names())

    def _names(self) -> Sequence[str]:
        return tuple(FAULTS) if self.fault == MIX else (self.fault,)


@dataclass(frozen=True, slots=True)
class Order:
    """One fault to inject now; `luck`, from 0 to 1, decides whatever it leaves to chance."""

    fault: str
    seconds: float
    luck: float


class Faults:
    """The rules in force. The first one that matches a request and wins its throw of the dice is applied, no other.

    `totals` counts every fault ever injected, by name; new rules do not reset it.
    """

    def __init__(self, *, store: Store, seed: int) -> None:
        facts = store.facts()
        self.totals: dict[str, int] = facts.get("fault_totals", {})
        self._store = store
        self._seed = seed
        self._rules = [Rule(**saved) for saved in facts.get("faults", [])]
        self._random = random.Random(f"faults:{seed}")  # noqa: S311

    def report(self) -> dict[str, object]:
        return {"rules": [asdict(rule) for rule in self._rules], "injected": sum(rule.injected for rule in self._rules)}

    def replace(self, rules: Sequence[Rule]) -> None:
        """Take these rules in place of the present ones; the dice start again from the seed."""
        self._rules = list(rules)
        self._random = random.Random(f"faults:{self._seed}")  # noqa: S311
        self._save()

    def choose(self, endpoint: str) -> Order | None:
        """The fault that this request will meet, counted as injected; None to let it pass."""
        for rule in self._rules:
            possible = rule.possible(endpoint)
            if possible and self._random.random() < rule.probability:
                fault = self._random.choice(possible)
                rule.injected += 1
                self.totals[fault] = self.totals.get(fault, 0) + 1
                self._save()
                return Order(fault, rule.seconds, self._random.random())
        return None

    def staleness(self, endpoint: str) -> float | None:
        """How old an answer of this endpoint may be asked for, in seconds; None when none is ever stale."""
        return max((rule.seconds for rule in self._rules if STALE in rule.possible(endpoint)), default=None)

    def _save(self) -> None:
        self._store.save(facts={"faults": [asdict(rule) for rule in self._rules], "fault_totals": self.totals})


def open_faults(options: Options, store: Store) -> Faults:
    """The rules of the last run, unless the command line orders a mix."""
    faults = Faults(store=store, seed=options.seed if options.fault_seed is None else options.fault_seed)
    rates = {"writes": options.fault_rate, "reads": options.read_fault_rate}
    if any(rate is not None for rate in rates.values()):
        seconds = options.fault_seconds
        faults.replace([Rule(group, MIX, rate, seconds=seconds) for group, rate in rates.items() if rate])
    return faults


def read_rules(fields: Fields) -> list[Rule]:
    """The rules of `{"rules": [...]}`."""
    fields.only("rules")
    given = fields.values.get("rules")
    if not isinstance(given, list):
        raise RefusedError("rules: an array is required.")
    return [_read_rule(fields_of(each, "rules: each")) for each in given]


def _read_rule(fields: Fields) -> Rule:
    fields.only("endpoint", "fault", "probability", "times", "seconds")
    endpoint, fault = fields.text("endpoint"), fields.text("fault")
    if endpoint not in ALL and endpoint not in GROUPS:
        raise RefusedError(f"endpoint: one of {', '.join([*GROUPS, *sorted(ALL)])} is required.")
    if fault not in FAULTS and fault != MIX:
        raise RefusedError(f"fault: one of {', '.join([*FAULTS, MIX])} is required.")
    times: Any = fields.values.get("times")
    if times is not None and fields.integer("times") < 0:
        raise RefusedError("times: null or a number from 0 is required.")
    probability, seconds = _within(fields, "probability", 1), _within(fields, "seconds", LONGEST_SECONDS)
    rule = Rule(endpoint, fault, probability, times, seconds)
    if rule.is_senseless():
        raise RefusedError(f"fault: {fault} cannot happen at {endpoint}.")
    return rule


def _within(fields: Fields, name: str, most: int) -> float:
    """A number from 0 to `most`; 1 when it is left out."""
    value = fields.number(name) if name in fields else Decimal(1)
    if not 0 <= value <= most:
        raise RefusedError(f"{name}: a number from 0 to {most} is required.")
    return float(value)
