"""Who may call a REST view: by the session type of the token."""

from collections.abc import Collection
from typing import Any, ClassVar

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import CUSTOMER_SESSIONS, STAFF_SESSIONS, Session
from propdesk.lib.mng.errors import PermissionDeniedError, UnauthorizedError


class _HasSession(BasePermission):
    sessions: ClassVar[Collection[Session]]

    def has_permission(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiToken):
            raise UnauthorizedError("A token is required.")
        if request.auth.session not in self.sessions:
            raise PermissionDeniedError(f"Not open to {Session(request.auth.session).documented}.")
        return True


class StaffSession(_HasSession):
    """Any staff session; 401 without a token, 403 for a customer's."""

    sessions = STAFF_SESSIONS


class CustomerSession(_HasSession):
    """The customer session only; 401 without a token, 403 for a staff one."""

    sessions = CUSTOMER_SESSIONS
