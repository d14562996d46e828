"""Why a sale is refused: stable codes and what the customer reads."""

from enum import StrEnum


class BlockReason(StrEnum):
    """Stable codes, in the order in which they are checked. Source: api-facts 6.3."""

    INVALID_PAYER_ACCOUNT = "INVALID_PAYER_ACCOUNT"
    PROGRAM_DISABLED = "PROGRAM_DISABLED"
    PAYER_ACCOUNT_DISABLED = "PAYER_ACCOUNT_DISABLED"
    PAYER_GROUP_NOT_FOUND = "PAYER_GROUP_NOT_FOUND"
    CURRENCY_CONVERSION_REQUIRED = "CURRENCY_CONVERSION_REQUIRED"
    PAYER_ACCOUNT_NOT_REAL = "PAYER_ACCOUNT_NOT_REAL"
    PAYER_BALANCE_UNAVAILABLE = "PAYER_BALANCE_UNAVAILABLE"
    NOT_ENOUGH_FUNDS = "NOT_ENOUGH_FUNDS"


MESSAGES = {
    BlockReason.INVALID_PAYER_ACCOUNT: "This is not one of your payer accounts.",
    BlockReason.PROGRAM_DISABLED: "This program is not on sale.",
    BlockReason.PAYER_ACCOUNT_DISABLED: "The payer account is disabled.",
    BlockReason.PAYER_GROUP_NOT_FOUND: "The payer account's trading group is not available.",
    BlockReason.CURRENCY_CONVERSION_REQUIRED: "The payer account is not held in the program's currency.",
    BlockReason.PAYER_ACCOUNT_NOT_REAL: "Only a REAL account can pay for a program.",
    BlockReason.PAYER_BALANCE_UNAVAILABLE: "The payer account's balance cannot be read right now. Please try again.",
    BlockReason.NOT_ENOUGH_FUNDS: "The payer account holds less than the price.",
}
