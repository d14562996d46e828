"""Everything that changes a purchase, and what a customer may ask before buying."""

from purchases.services.advancing import advance_purchase
from purchases.services.buying import Sale, buy
from purchases.services.offers import Offer, offers_for, preview
from purchases.services.outcomes import fail_purchase, mark_active
from purchases.services.refunding import is_refundable, refund_purchase, why_not_refundable
from purchases.services.sweeping import advance_due_purchases

__all__ = [
    "Offer",
    "Sale",
    "advance_due_purchases",
    "advance_purchase",
    "buy",
    "fail_purchase",
    "is_refundable",
    "mark_active",
    "offers_for",
    "preview",
    "refund_purchase",
    "why_not_refundable",
]
