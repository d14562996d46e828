"""What of the challenges waits for staff: phases that cannot begin or go on, and units whose enforcement is halted."""

from collections.abc import Sequence

from django.db.models import Q, QuerySet

from brokers.models import AccountOrder
from challenges.models import Challenge, ChallengeStatus, Enrollment, UnitWatch
from challenges.services.ordering import objection_to_ordering_again
from challenges.services.pausing import TAKEN_OUT
from propdesk.lib.admin import ReviewItem, ReviewSource, list_of, register_reviews

Status = AccountOrder.Status


def _stuck() -> QuerySet[Enrollment]:
    """Phases whose account order waits for staff or is over, those that cannot pass because no account can be ordered
    for the next one, and those whose pause is over while staff keep the account out of trading. One whose order is
    worked on again waits for nobody.
    """
    working = (Status.REQUESTED, Status.OPENING)
    ordered = Q(status=ChallengeStatus.PENDING) & ~Q(order__status__in=working)
    return Enrollment.objects.filter(ordered | Q(status=ChallengeStatus.ACTIVE)).exclude(review_reason="")


def _enrollments(most: int) -> Sequence[ReviewItem]:
    rows = _stuck().select_related("order", "account", "challenge__customer")
    return [_enrollment(row) for row in rows.order_by("updated_at")[:most]]


def _enrollment(row: Enrollment) -> ReviewItem:
    title = f"{row.challenge}, phase {row.phase_index} ({row.phase_name})"
    ways_out = () if objection_to_ordering_again(row) else ("Order the account again",)
    return ReviewItem(
        row=row, title=title, since=row.updated_at, why=row.review_reason, check=_check(row), ways_out=ways_out,
        related=(row.account or row.order, row.challenge.customer),
    )  # fmt: skip


def _check(row: Enrollment) -> str:
    if row.review_reason.startswith(TAKEN_OUT):
        return "May its trader trade again? If so, enable the account on its page."
    if row.status == ChallengeStatus.ACTIVE:
        return "The phase is passed. Add an account group of that name: the next phase then begins by itself."
    if not objection_to_ordering_again(row):
        return (
            "Its account order is over and cannot be taken up again. Put right what stood in its way, then order the "
            "account again."
        )
    return "Decide about its account order: the phase then begins by itself."


def _watches(most: int) -> Sequence[ReviewItem]:
    rows = UnitWatch.objects.exclude(halted_at=None).select_related("connection").order_by("halted_at")[:most]
    return [
        ReviewItem(
            row=row, title=str(row), since=row.halted_at, why=row.halt_reason,
            check="Are the figures at the broker right? Until then nobody of the unit fails, passes or is paused.",
            ways_out=("Confirm the figures",), related=(row.connection,),
        )
        for row in rows
        if row.halted_at is not None
    ]  # fmt: skip


REVIEWS = (
    ReviewSource(
        title="Phases that cannot begin or go on",
        permission="challenges.view_enrollment",
        order=50,
        total=lambda: _stuck().count(),
        items=_enrollments,
        more=lambda: list_of(Challenge, attention="review"),
    ),
    ReviewSource(
        title="Units whose enforcement is halted",
        permission="challenges.view_unitwatch",
        order=5,
        total=lambda: UnitWatch.objects.exclude(halted_at=None).count(),
        items=_watches,
        more=lambda: list_of(UnitWatch),
    ),
)
for source in REVIEWS:
    register_reviews(source)
