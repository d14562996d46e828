"""What of the broker side waits for staff: operations and orders in review, and open differences."""

from collections.abc import Sequence

from django.db.models import QuerySet

from brokers.models import AccountOrder, BrokerOperation, Difference
from brokers.services import review_of, way_to_mend
from propdesk.lib.admin import ReviewItem, ReviewSource, list_of, register_reviews


def _operations_in_review() -> QuerySet[BrokerOperation]:
    return BrokerOperation.objects.filter(status=BrokerOperation.Status.NEEDS_REVIEW)


def _orders_in_review() -> QuerySet[AccountOrder]:
    return AccountOrder.objects.filter(status=AccountOrder.Status.NEEDS_REVIEW)


def _operations(most: int) -> Sequence[ReviewItem]:
    rows = _operations_in_review().select_related("account__group", "order").order_by("updated_at")[:most]
    return [_operation(row) for row in rows]


def _operation(row: BrokerOperation) -> ReviewItem:
    review = review_of(row)
    legal = {"Try again": review.may_resume, "It happened": review.done, "It did not happen": review.not_done}
    ways = [way for way, is_legal in legal.items() if is_legal]
    related = [each for each in (row.account, row.order) if each is not None]
    return ReviewItem(
        row=row, title=f"{row.get_kind_display()}, {row.subject}", since=row.updated_at, why=row.review_reason,
        check=review.check, ways_out=ways, related=related,
    )  # fmt: skip


def _orders(most: int) -> Sequence[ReviewItem]:
    rows = _orders_in_review().select_related("group").prefetch_related("operations").order_by("updated_at")[:most]
    return [_order(row) for row in rows]


def _order(row: AccountOrder) -> ReviewItem:
    waiting = [each for each in row.operations.all() if each.status == BrokerOperation.Status.NEEDS_REVIEW]
    check = "Decide about its operation first." if waiting else "Look at its steps, and at the account at the broker."
    if row.cancel_asked_at:
        check = f"{check} It is being cancelled: trying again goes on with that."
    return ReviewItem(
        row=row, title=row.reference, since=row.updated_at, why=row.review_reason, check=check,
        ways_out=["Try again", *([] if row.cancel_asked_at else ["Cancel order"])], related=waiting,
    )  # fmt: skip


def _differences(most: int) -> Sequence[ReviewItem]:
    rows = Difference.objects.waiting().select_related("account", "order").order_by("first_seen_at")[:most]
    return [
        ReviewItem(
            row=row, title=f"{row.get_kind_display()}: {row.login}", since=row.first_seen_at, why=row.cause,
            check=f"Ours: {row.ours}. The broker's: {row.theirs}.",
            ways_out=[*(["Mend"] if way_to_mend(row) else []), "Acknowledge"],
            related=[each for each in (row.account, row.order) if each is not None],
        )
        for row in rows
    ]  # fmt: skip


REVIEWS = (
    ReviewSource(
        title="Broker operations",
        permission="brokers.view_brokeroperation",
        order=10,
        total=lambda: _operations_in_review().count(),
        items=_operations,
        more=lambda: list_of(BrokerOperation, status__exact=int(BrokerOperation.Status.NEEDS_REVIEW)),
    ),
    ReviewSource(
        title="Account orders",
        permission="brokers.view_accountorder",
        order=20,
        total=lambda: _orders_in_review().count(),
        items=_orders,
        more=lambda: list_of(AccountOrder, status__exact=int(AccountOrder.Status.NEEDS_REVIEW)),
    ),
    ReviewSource(
        title="Differences at brokers",
        permission="brokers.view_difference",
        order=40,
        total=lambda: Difference.objects.waiting().count(),
        items=_differences,
        more=lambda: list_of(Difference, status__exact=int(Difference.Status.OPEN)),
    ),
)
for source in REVIEWS:
    register_reviews(source)
