"""What of the broker side waits for staff: operations and orders in review, differences, and what nobody calls."""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, QuerySet

from brokers.models import AccountOrder, BrokerConnection, BrokerOperation, Difference
from brokers.services import review_of, way_to_mend
from propdesk.lib.admin import ReviewItem, ReviewSource, list_of, register_reviews
from propdesk.lib.times import utc_now


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


def _switched_off() -> QuerySet[BrokerConnection]:
    """Connections that nobody may call while something waits for them."""
    operations = BrokerOperation.objects.open().filter(connection=OuterRef("pk"), order=None)
    orders = AccountOrder.objects.open().filter(group__connection=OuterRef("pk"))
    return BrokerConnection.objects.filter(Exists(operations) | Exists(orders), is_enabled=False)


def _connections(most: int) -> Sequence[ReviewItem]:
    return [_connection(row) for row in _switched_off().order_by("pk")[:most]]


def _connection(row: BrokerConnection) -> ReviewItem:
    operations = BrokerOperation.objects.open().filter(connection=row, order=None).order_by("created_at")
    orders = AccountOrder.objects.open().filter(group__connection=row).order_by("created_at")
    outs = operations.filter(kind__in=(BrokerOperation.Kind.DISABLE, BrokerOperation.Kind.CLOSE_ALL))
    oldest: list[BrokerOperation | AccountOrder] = [*operations[:2], *orders[:1]]
    return ReviewItem(
        row=row, title=str(row), since=min((each.created_at for each in oldest), default=utc_now()),
        why=f"It is switched off, and {operations.count()} operations ({outs.count()} of them take accounts out of "
        f"trading) and {orders.count()} account orders wait for it.",
        check="Nobody calls this broker: accounts stay as they are, and purchases wait. Switch it on again when it may "
        "be called.",
        ways_out=["Switch it on"], related=oldest,
    )  # fmt: skip


REVIEWS = (
    ReviewSource(
        title="Connections that are switched off",
        permission="brokers.view_brokerconnection",
        order=4,
        total=lambda: _switched_off().count(),
        items=_connections,
        more=lambda: list_of(BrokerConnection, is_enabled__exact=0),
    ),
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
