"""Admin pages of customers and sales. A purchase's status and money are read-only: only services change them."""

from purchases.admin.customers import CustomerAdmin
from purchases.admin.purchases import PurchaseAdmin

__all__ = ["CustomerAdmin", "PurchaseAdmin"]
