"""Admin pages of challenges and of what was observed of them. All of it is read-only; only services change it."""

from challenges.admin.challenges import ChallengeAdmin
from challenges.admin.enrollments import EnrollmentAdmin
from challenges.admin.evidence import BreachAdmin, DailySnapshotAdmin
from challenges.admin.reviews import REVIEWS
from challenges.admin.watches import UnitWatchAdmin

__all__ = ["REVIEWS", "BreachAdmin", "ChallengeAdmin", "DailySnapshotAdmin", "EnrollmentAdmin", "UnitWatchAdmin"]
