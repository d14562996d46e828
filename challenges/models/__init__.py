"""Challenges, their enrollments, what was observed of them, and what was found."""

from challenges.models.challenges import Challenge, ChallengeEvent, ChallengeStatus
from challenges.models.enrollments import Enrollment, EnrollmentEvent
from challenges.models.evidence import Breach, DailySnapshot, MetricSnapshot
from challenges.models.state import EnrollmentState
from challenges.models.watches import UnitWatch

__all__ = [
    "Breach",
    "Challenge",
    "ChallengeEvent",
    "ChallengeStatus",
    "DailySnapshot",
    "Enrollment",
    "EnrollmentEvent",
    "EnrollmentState",
    "MetricSnapshot",
    "UnitWatch",
]
