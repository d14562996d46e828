"""Purchases that wait for staff: paid or half paid for, and nobody but staff can say how they go on."""

from collections.abc import Sequence

from propdesk.lib.admin import ReviewItem, ReviewSource, list_of, register_reviews
from purchases.admin.refunds import REFUND
from purchases.models import Purchase
from purchases.services import is_refundable


def _items(most: int) -> Sequence[ReviewItem]:
    rows = Purchase.objects.exclude(review_reason="").select_related("payment", "account_order", "refund")
    return [_item(row) for row in rows.order_by("updated_at")[:most]]


def _item(row: Purchase) -> ReviewItem:
    causes = [each for each in (row.payment, row.account_order, row.refund) if each is not None and each.review_reason]
    if is_refundable(row):
        check = (
            "Is the price owed to the customer? Nothing moves until you have the refund made from the purchase's page."
        )
    elif causes:
        check = "Decide about its operation or order: the purchase then goes on by itself."
    else:
        check = "Put right what the reason names: the purchase then goes on by itself."
    ways_out = (REFUND.text,) if is_refundable(row) else ()
    return ReviewItem(
        row=row, title=str(row), since=row.updated_at, why=row.review_reason, check=check, ways_out=ways_out,
        related=causes,
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
