"""What the statuses of sales and customers look like."""

from propdesk.lib.admin import Colour
from purchases.models import Customer, Purchase

PURCHASE: dict[int, Colour] = {
    Purchase.Status.PENDING: Colour.BLUE,
    Purchase.Status.PAID: Colour.BLUE,
    Purchase.Status.ACCOUNT_CREATED: Colour.BLUE,
    Purchase.Status.ACTIVE: Colour.GREEN,
    Purchase.Status.FAILED: Colour.RED,
    Purchase.Status.REFUNDED: Colour.GREY,
}
CUSTOMER: dict[int, Colour] = {
    Customer.Status.ACTIVE: Colour.GREEN,
    Customer.Status.BLOCKED: Colour.RED,
    Customer.Status.ARCHIVED: Colour.GREY,
    Customer.Status.PROSPECT: Colour.BLUE,
}
