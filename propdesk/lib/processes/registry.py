"""The sweeper's jobs. Apps register theirs in `AppConfig.ready()`; the sweeper knows none of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Job:
    """One kind of work that is looked for in the database, again and again.

    `run(now)` does what it finds and returns how many rows it took care of. It must bear being run at any time, twice
    at once, and being killed halfway.
    """

    name: str
    every_seconds: float
    run: Callable[[datetime], int]


_jobs: dict[str, Job] = {}


def register_job(name: str, every_seconds: float, run: Callable[[datetime], int]) -> None:
    """Have the sweeper call `run(now)` every so many seconds. Raises ValueError for a name that is taken."""
    if name in _jobs:
        raise ValueError(f"There is a job {name!r} already.")
    if every_seconds <= 0:
        raise ValueError(f"Job {name!r} needs an interval above zero, not {every_seconds}.")
    _jobs[name] = Job(name=name, every_seconds=every_seconds, run=run)


def registered_jobs() -> list[Job]:
    return list(_jobs.values())
