"""A million programs, and a manager who may read them."""

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.actors import Actor
from propdesk.lib.times import utc_now

SOME = 100_000
MANY = 1_000_000
# Six of ten programs are active; each of the thousand brands has a thousand of a million, in no order of the table.
_LOAD = """
INSERT INTO programs_program (brand, name, description, price, price_currency, status, sort_index, day_reset_time,
    day_reset_timezone, phases_count, demo_group, version, created_at, updated_at)
SELECT 'brand ' || i * 7919 %% 1000, 'Evaluation ' || i || 'K', 'Two phase evaluation, number ' || i || repeat('.', 20),
    99 + i %% 900 + 0.5, 'USD',
    CASE WHEN i / 1000 %% 10 < 6 THEN 0 WHEN i / 1000 %% 10 < 9 THEN 1 ELSE 2 END, i * 7919 %% 100000,
    '00:00', 'UTC', 2, 'PROP_DEMO_USD', 1,
    timestamptz '2026-01-01 UTC' + i * interval '1.5 s', timestamptz '2026-06-01 UTC' + i * interval '1.1 s'
FROM generate_series(%s::bigint, %s) AS i
"""


def load(first: int, last: int) -> None:
    """Add the programs with these numbers."""
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, [first, last])
        # As autovacuum leaves it in the end: with statistics, and a visibility map that allows index-only scans.
        cursor.execute("VACUUM ANALYZE programs_program")
        cursor.execute("CHECKPOINT")


def prepare() -> str:
    """The empty database's tables; returns a manager's token."""
    call_command("migrate", verbosity=0)
    user = User.objects.create(username="bench")
    grant_session(user=user, session=Session.MANAGER)
    return issue_token(user=user, session=Session.MANAGER, name="bench", by=Actor("bench"), now=utc_now())[1]
