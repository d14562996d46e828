"""Contestants measured in turns, A B C A B C, and compared pair by pair: a busy machine slows all of a pair."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Contestant = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times the time of another: median of the pairs, and the extremes."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:8.2f}  ({self.least:.2f} - {self.most:.2f})"


class Measured:
    """Seconds of each contestant in each round."""

    def __init__(self, contestants: Mapping[str, Contestant], *, rounds: int) -> None:
        for run in contestants.values():
            run()
        self._seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, run in contestants.items():
                self._seconds[name].append(_seconds(run))

    def milliseconds(self, name: str) -> float:
        return 1000 * statistics.median(self._seconds[name])

    def ratio(self, name: str, to: str) -> Ratio:
        pairs = [mine / other for mine, other in zip(self._seconds[name], self._seconds[to], strict=True)]
        return Ratio(statistics.median(pairs), min(pairs), max(pairs))

    def table(self, *, to: str) -> str:
        """One line for each contestant: median time, and its ratio to the named one."""
        return "\n".join(
            f"  {name:<58}{self.milliseconds(name):10.1f} ms {self.ratio(name, to)}" for name in self._seconds
        )


def _seconds(run: Contestant) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun
