from collections.abc import Sequence
from typing import Any

from propdesk.lib.mng.errors import ConflictError, NotFoundError


class ProgramNotFoundError(NotFoundError):
    def __init__(self, program_id: int) -> None:
        super().__init__(f"There is no program {program_id}.")


class StaleProgramError(ConflictError):
    """Somebody saved the program since the caller read it; nothing was changed."""

    def __init__(self, given: int, current: int) -> None:
        super().__init__(f"The program was changed by somebody else: you have version {given}, it is at {current}.")


class OperationsInFlightError(ConflictError):
    """Calls that change money or accounts are unfinished or in doubt, or took what is owed; nothing was deleted."""

    code = "OPERATIONS_IN_FLIGHT"

    def __init__(self, operation_ids: Sequence[int]) -> None:
        self.operation_ids = list(operation_ids)
        listed = ", ".join(map(str, self.operation_ids))
        owed = "A payment that is done counts while its price is owed."
        super().__init__(f"Broker operations are unfinished or in doubt: {listed}. {owed} Nothing was deleted.")

    def details(self) -> dict[str, Any]:
        return {"operations": self.operation_ids}
