"""Money is `Decimal` in Python and NUMERIC in the database, never float; floats appear only at the JSON edge."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.db import models

CENT = Decimal("0.01")

# ISO 4217 currencies that programs may be sold and accounts be held in, with their number of decimals.
CURRENCY_DECIMALS = {
    "USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "AUD": 2, "CAD": 2, "NZD": 2, "SGD": 2, "HKD": 2, "ZAR": 2, "SEK": 2,
    "NOK": 2, "DKK": 2, "PLN": 2, "CZK": 2, "HUF": 2, "AED": 2, "INR": 2, "CNY": 2, "MXN": 2, "BRL": 2, "THB": 2,
    "TRY": 2, "ILS": 2, "SAR": 2, "MYR": 2, "IDR": 2, "PHP": 2, "RON": 2, "BGN": 2, "JPY": 0, "KRW": 0, "VND": 0,
    "CLP": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3,
}  # fmt: skip


class MoneyField(models.DecimalField[Any, Any]):
    """NUMERIC(24, 8): wide enough for every account figure and every level, unrounded."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 24)
        kwargs.setdefault("decimal_places", 8)
        super().__init__(*args, **kwargs)


def cents(amount: Decimal) -> Decimal:
    """Round half up to two decimals, for showing."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def fits_currency(amount: Decimal, currency: str) -> bool:
    """Whether the amount has no more decimals than the currency: 499.001 USD does not."""
    decimals = CURRENCY_DECIMALS[currency]
    return amount == round(amount, decimals)


def as_text(amount: Decimal, currency: str = "") -> str:
    """`95,000.00 USD`; more than two decimals only where they are not zero."""
    shown = cents(amount) if amount == cents(amount) else amount.normalize()
    return f"{shown:,f} {currency}".strip()
