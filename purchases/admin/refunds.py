"""Giving a price back: the button on a purchase's page, and how far it has got."""

from collections.abc import Sequence

from brokers.models import BrokerOperation
from propdesk.lib.actors import Actor
from propdesk.lib.admin import Button, Colour, Facts, Panel, label, link_to
from propdesk.lib.money import as_text
from propdesk.lib.times import utc_now
from purchases.models import Purchase
from purchases.services import is_refundable, refund_purchase, why_not_refundable


def _price(purchase: Purchase) -> str:
    """What was taken, and from where: that is what goes back, and where to."""
    payment = purchase.payment
    amount = purchase.amount_account_currency if payment is None or payment.amount is None else payment.amount
    return as_text(amount, purchase.currency)


def _payer(purchase: Purchase) -> object:
    return purchase.payment.account if purchase.payment else purchase.payer


def _about(purchase: Purchase) -> str:
    back = f"{_price(purchase)} will be paid into account {_payer(purchase)}, from which it was taken."
    if purchase.status == Purchase.Status.FAILED:
        return back
    return f"{back} The purchase is called off: it fails now, and its trading account will never be handed over."


def _refund(purchase: Purchase, by: Actor, reason: str) -> str:
    refund_purchase(purchase_id=purchase.pk, reason=reason, by=by, now=utc_now())
    return f"Asked for: {_price(purchase)} goes back to account {_payer(purchase)}. This page shows how far it is."


REFUND = Button(
    name="refund",
    text="Refund to payer",
    explanation="The price goes back, once, after any account that was opened for the purchase has been disabled and "
    "all its positions closed. It cannot be undone.",
    about=_about,
    run=_refund,
    offered=is_refundable,
    why_not=why_not_refundable,
    variant="danger",
    icon="undo",
)


def refund_panels(purchase: Purchase) -> Sequence[Panel]:
    """How the refund stands; nothing for a purchase for which none was ever asked."""
    if not purchase.refund_tries:
        return ()
    facts: list[tuple[str, object]] = [
        ("Progress", _progress(purchase)),
        ("Amount", _price(purchase)),
        ("Goes to account", link_to(purchase.payment.account) if purchase.payment else ""),
        ("Reason", purchase.refund_reason),
    ]
    if purchase.refund_asked_at is not None:
        facts.append(("Asked for", f"{purchase.refund_asked_at:%Y-%m-%d %H:%M:%S} UTC"))
    if purchase.refund is not None:
        shown = f"operation {purchase.refund.pk}, {purchase.refund.get_status_display()}"
        facts.append(("Deposit", link_to(purchase.refund, shown)))
    if purchase.refund_tries > 1:
        facts.append(("Asked for so far", f"{purchase.refund_tries} times"))
    return [Facts(title="Refund", facts=facts)]


def _progress(purchase: Purchase) -> str:
    if purchase.status == Purchase.Status.REFUNDED:
        return label("refunded", Colour.GREEN)
    if not purchase.is_being_refunded:
        return label("refused: ask again", Colour.RED)
    if purchase.refund is None:
        return label("asked for" if purchase.account_order is None else "cancelling the account", Colour.BLUE)
    if purchase.refund.status == BrokerOperation.Status.NEEDS_REVIEW:
        return label("the deposit waits for staff", Colour.ORANGE)
    return label("paying back", Colour.BLUE)
