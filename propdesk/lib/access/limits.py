"""How fast a token may call: a steady rate, and bursts that were saved up (the generic cell rate algorithm).

The count is one row per token in PostgreSQL, so that all web workers and the gateway share one limit and Redis is not
needed. The table is UNLOGGED: counting costs no write to the log, and after a crash every token starts afresh.
"""

import math
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from propdesk.lib.access.models import ApiToken, TokenAllowance
from propdesk.lib.access.tokens import token_for
from propdesk.lib.mng.errors import TooManyRequestsError

# No row comes back when the token has spent all that it may, and then nothing is written.
_SPEND = f"""
    INSERT INTO {TokenAllowance._meta.db_table} AS allowance (token_id, spent_until)
    VALUES (%(token)s, %(now)s + %(each)s)
    ON CONFLICT (token_id) DO UPDATE SET spent_until = greatest(allowance.spent_until, %(now)s) + %(each)s
    WHERE allowance.spent_until <= %(now)s + %(saved)s
    RETURNING true
"""  # noqa: S608  (our own table's name)


def admit(*, secret: str, now: datetime) -> ApiToken:
    """The live token with this secret, one request of its allowance spent.

    Raises UnauthorizedError, or TooManyRequestsError saying when to come back.
    """
    token = token_for(secret, now=now)
    spend_request(token=token, now=now)
    return token


def spend_request(*, token: ApiToken, now: datetime) -> None:
    """Count one request: `RATE_LIMIT_PER_SECOND` for ever, `RATE_LIMIT_BURST` at once after a rest. 0: no limit.

    Raises TooManyRequestsError; a refused request is not counted.
    """
    rate, burst = settings.RATE_LIMIT_PER_SECOND, settings.RATE_LIMIT_BURST
    if not rate:
        return
    each = timedelta(seconds=1 / rate)
    parameters: dict[str, Any] = {"token": token.pk, "now": now, "each": each, "saved": each * (burst - 1)}
    with connection.cursor() as cursor:
        cursor.execute(_SPEND, parameters)
        if cursor.fetchone() is None:
            raise TooManyRequestsError(
                f"This token may make {rate:g} requests a second, and {burst} at once after a rest.",
                retry_after=math.ceil(each.total_seconds()),
            )
