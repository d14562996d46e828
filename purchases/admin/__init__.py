"""Admin pages of customers and sales. A purchase's status and money are read-only: only services change them."""

from purchases.admin.customers import CustomerAdmin
from purchases.admin.purchases import PurchaseAdmin
from purchases.admin.reviews import REVIEWS

__all__ = ["REVIEWS", "CustomerAdmin", "PurchaseAdmin"]
