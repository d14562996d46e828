"""What can be refused, each with the code and HTTP status that the customer gets."""

from propdesk.lib.mng.errors import CodedError, ConflictError
from purchases.reasons import MESSAGES, BlockReason


class SaleRefusedError(CodedError):
    """The sale may not be made; `reason` says why. 403 for another customer's payer account, 400 otherwise."""

    def __init__(self, reason: BlockReason) -> None:
        super().__init__(MESSAGES[reason])
        self.reason = reason
        self.code = reason.value  # type: ignore[misc]
        self.status = 403 if reason is BlockReason.INVALID_PAYER_ACCOUNT else 400  # type: ignore[misc]


class IdempotencyKeyReusedError(ConflictError):
    """The customer has used this key before, for another program or payer account."""

    code = "IDEMPOTENCY_KEY_REUSED"

    def __init__(self) -> None:
        super().__init__("This idempotency_key belongs to a purchase of another program or payer account.")


class StillInFlightError(ConflictError):
    """A broker call for the purchase is unfinished or in doubt, so nobody can say yet whether money moved."""

    code = "OPERATIONS_IN_FLIGHT"


class NotRefundableError(ConflictError):
    """There is nothing to give back, or nobody may give it back as things stand."""

    code = "NOT_REFUNDABLE"
