"""Judges observations of an enrollment by the terms of its phase. Pure: no Django, no I/O, no clock, no floats.

`programs.terms` holds the parameters and the level formulas; docs/rules.md fixes what every rule
means and the order of judging.
"""

from challenges.rules.days import trading_day
from challenges.rules.engine import ObservationOutOfOrderError, judge, judge_series, status_of
from challenges.rules.judgement import DayStart, Finding, Judgement, Levels
from challenges.rules.limits import deadline, levels_of, time_breaks_something
from challenges.rules.observations import Observation, Position, Trade
from challenges.rules.passing import consistency_holds
from challenges.rules.progress import Progress, progress
from challenges.rules.state import RunningState
from challenges.rules.thinning import must_keep

__all__ = [
    "DayStart",
    "Finding",
    "Judgement",
    "Levels",
    "Observation",
    "ObservationOutOfOrderError",
    "Position",
    "Progress",
    "RunningState",
    "Trade",
    "consistency_holds",
    "deadline",
    "judge",
    "judge_series",
    "levels_of",
    "must_keep",
    "progress",
    "status_of",
    "time_breaks_something",
    "trading_day",
]
