"""Purchases that wait for staff: paid or half paid for, and nobody but staff can say how they go on."""

from collections.abc import Sequence

from propdesk.lib.admin import ReviewItem, ReviewSource, list_of, register_reviews
from purchases.models import Purchase


def _items(most: int) -> Sequence[ReviewItem]:
    rows = Purchase.objects.exclude(review_reason="").select_related("payment", "account_order")
    return [_item(row) for row in rows.order_by("updated_at")[:most]]


def _item(row: Purchase) -> ReviewItem:
    causes = [each for each in (row.payment, row.account_order) if each is not None and each.review_reason]
    check = (
        "Decide about its operation or order: the purchase then goes on by itself."
        if causes
        else "Put right what the reason names: the purchase then goes on by itself."
    )
    return ReviewItem(
        row=row, title=str(row), since=row.updated_at, why=row.review_reason, check=check, ways_out=(), related=causes
    )  # fmt: skip


REVIEWS = ReviewSource(
    title="Purchases",
    permission="purchases.view_purchase",
    order=30,
    total=lambda: Purchase.objects.exclude(review_reason="").count(),
    items=_items,
    more=lambda: list_of(Purchase, attention="review"),
)
register_reviews(REVIEWS)
