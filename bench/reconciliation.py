"""`python -m bench.reconciliation`: one unit with 10,000 accounts and 20,000 transfers, compared with our books.

The broker is the bundled simulator in a process of its own; our rows are loaded in bulk. Prints what each comparison
took and found. BENCH_ACCOUNTS=10000, opened BENCH_HOURS=1 ago; with BENCH_MEMORY=1 also the most memory that Python
held, which slows it down.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

from bench.servers import own_servers

ACCOUNTS = int(os.environ.get("BENCH_ACCOUNTS", "10000"))
MEMORY = bool(os.environ.get("BENCH_MEMORY"))
KEY, UNIT = "bench", 49490520
DEPOSIT = 50_000
ADDRESS = "load-{}@bench.example"
# Each account came of an order and has had two deposits, which are in the ledger; `at` is when.
_LOAD = (
    """
INSERT INTO brokers_accountorder (reference, group_id, deposit, first_name, last_name, status, was_in_doubt,
    failure_reason, review_reason, cancel_reason, next_at, created_at, updated_at)
SELECT login::text, %(group)s, 100000, 'Bulk', 'Account', 0, false, '', '', '', %(at)s, %(at)s, %(at)s
FROM unnest(%(logins)s::bigint[]) AS login
""",
    """
INSERT INTO brokers_tradingaccount (connection_id, group_id, login, marker, order_id, is_enabled, is_funded, is_orphan,
    created_at, updated_at)
SELECT %(connection)s, %(group)s, reference::bigint, 'load-' || row_number() OVER (ORDER BY id) || '@bench.example', id,
    true, true, false, %(at)s, %(at)s
FROM brokers_accountorder
""",
    """
UPDATE brokers_accountorder o SET status = 2, account_id = a.id, ready_at = %(at)s
FROM brokers_tradingaccount a WHERE a.order_id = o.id
""",
    """
INSERT INTO brokers_brokeroperation (subject, kind, generation, connection_id, order_id, account_id, amount, comment,
    marker, status, was_in_doubt, attempts, evidence, error_code, error_message, review_reason, next_at, created_at,
    updated_at, finished_at)
SELECT 'order:' || a.order_id, step.kind, step.generation, %(connection)s, a.order_id, a.id, step.amount, '',
    CASE step.kind WHEN 'create' THEN a.marker ELSE '' END, 2, false, 1, '{}'::jsonb, '', '', '', %(at)s, %(at)s,
    %(at)s, %(at)s + interval '1 minute'
FROM brokers_tradingaccount a CROSS JOIN (
    VALUES ('create', 1, NULL), ('deposit', 1, %(deposit)s::numeric), ('deposit', 2, %(deposit)s), ('enable', 1, NULL)
) AS step (kind, generation, amount)
""",
    """
INSERT INTO brokers_ledgertransaction (operation_id, occurrence, kind, subject, at)
SELECT id, 1, kind, subject, finished_at FROM brokers_brokeroperation WHERE kind = 'deposit'
""",
    """
INSERT INTO brokers_ledgerentry (transaction_id, account, currency, amount)
SELECT t.id, side.account, 'USD', side.sign * o.amount
FROM brokers_ledgertransaction t
JOIN brokers_brokeroperation o ON o.id = t.operation_id
JOIN brokers_tradingaccount a ON a.id = o.account_id
CROSS JOIN LATERAL (VALUES (1, 'broker:' || a.connection_id || ':' || a.login), (-1, 'firm')) AS side (sign, account)
""",
)


class Broker:
    """The simulator that we compare with."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def post(self, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(  # noqa: S310  (the simulator on this machine)
            self.base_url + path, data=json.dumps(body).encode(), headers={"Authorization": f"Bearer {KEY}"}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310  (the same)
            return json.load(answer)

    def open_many(self) -> list[int]:
        body = {"unit": UNIT, "count": ACCOUNTS, "email": ADDRESS, "enabled": True, "deposits": [DEPOSIT, DEPOSIT]}
        logins: list[int] = self.post("/sim/accounts", body)["accountNumbers"]
        return logins

    def enable(self, logins: list[int], *, enabled: bool) -> None:
        body = {"enable": enabled, "unit": UNIT, "accountNumbers": logins}
        self.post("/cportal/prop/demo/accounts/enable", body)

    def deposit(self, login: int, amount: float) -> None:
        body = {"accountNumber": login, "unit": UNIT, "amount": amount, "comment": "by hand"}
        self.post("/cportal/prop/demo/accounts/deposit", body)

    def faults(self, *rules: dict[str, Any]) -> None:
        self.post("/sim/faults", {"rules": list(rules)})


@contextmanager
def _simulator(folder: Path) -> Iterator[Broker]:
    command = [sys.executable, "-m", "brokers.simulator", "--port", "0", "--api-key", KEY, "--data", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = re.search(r"http://[0-9.]+:\d+", process.stdout.readline() if process.stdout else "")
            if found is None:
                raise RuntimeError("The broker simulator did not start.")
            broker = Broker(found.group())
            broker.post("/sim/market", {"running": False})
            yield broker
        finally:
            process.terminate()


def _load(broker: Broker, *, hours_ago: float) -> list[int]:
    """Our side of the same accounts, opened so long ago."""
    from django.db import connection, transaction  # noqa: PLC0415  (once Django is set up)

    from brokers.models import AccountGroup, AccountMode, BrokerConnection, UnitReconciliation  # noqa: PLC0415  (once Django is set up)
    from propdesk.lib.times import utc_now  # noqa: PLC0415  (once Django is set up)

    logins, now = broker.open_many(), utc_now()
    link = BrokerConnection.objects.create(name="bench", base_url=broker.base_url, api_key=KEY, calls_per_second=0)
    group = AccountGroup.objects.create(
        name="PROP_DEMO_USD", connection=link, mode=AccountMode.DEMO, currency="USD", default_deposit=100_000,
        broker_group=f"{UNIT}:PROP_DEMO_USD", unit=UNIT,
    )  # fmt: skip
    at = now - timedelta(hours=hours_ago)
    values: dict[str, Any] = {"logins": logins, "group": group.pk, "connection": link.pk, "at": at, "deposit": DEPOSIT}
    with connection.cursor() as cursor:
        with transaction.atomic():
            for statement in _LOAD:
                cursor.execute(statement, values)
        cursor.execute("VACUUM ANALYZE")
    UnitReconciliation.objects.create(connection=link, unit=UNIT, next_at=now)
    return logins


def _compare(title: str) -> None:
    from django.db import connection  # noqa: PLC0415  (once Django is set up)
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415  (once Django is set up)

    from brokers.client.transport import Transport  # noqa: PLC0415  (once Django is set up)
    from brokers.models import Difference, UnitReconciliation  # noqa: PLC0415  (once Django is set up)
    from brokers.services import reconcile_unit  # noqa: PLC0415  (once Django is set up)
    from propdesk.lib.times import utc_now  # noqa: PLC0415  (once Django is set up)

    calls = 0
    send: Callable[..., Any] = Transport.send

    def counted(self: Transport, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        return send(self, *args, **kwargs)

    UnitReconciliation.objects.update(next_at=utc_now())
    Transport.send = counted  # type: ignore[method-assign]  # counted for the time of the bench
    if MEMORY:
        tracemalloc.start()
    begun = time.monotonic()
    with CaptureQueriesContext(connection) as queries:
        row = reconcile_unit(reconciliation_id=UnitReconciliation.objects.get().pk, clock=utc_now)
    seconds = time.monotonic() - begun
    peak = f"{tracemalloc.get_traced_memory()[1] / 2**20:.0f} MiB" if MEMORY else "-"
    tracemalloc.stop()
    Transport.send = send  # type: ignore[method-assign]  # counted for the time of the bench
    present = Difference.objects.present().count()
    print(
        f"| {title} | {seconds:.1f} s | {calls} | {len(queries)} | {peak} | {present} | {row.left_over} | "
        f"{row.failure or row.money_failure} |",
        flush=True,
    )


def main() -> None:
    # As Ctrl-C does: servers and files are cleaned away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with own_servers() as folder:
        django.setup()
        from django.core.management import call_command  # noqa: PLC0415  (once Django is set up)

        call_command("migrate", verbosity=0)
        with _simulator(folder / "simulator") as broker:
            logins = _load(broker, hours_ago=float(os.environ.get("BENCH_HOURS", "1")))
            print("| comparison | took | HTTP calls | SQL | memory | differences | left over | failure |")
            print("| --- | --- | --- | --- | --- | --- | --- | --- |")
            _compare(f"the first one of {ACCOUNTS} accounts")
            _compare("nothing has changed")
            broker.enable(logins[:500], enabled=False)
            _compare("500 accounts are switched off at the broker")
            _compare("they still are")
            broker.enable(logins[:500], enabled=True)
            _compare("they are on again")
            for login in logins[:500]:
                broker.deposit(login, 10)
            for number in range(1, 4):
                _compare(f"500 deposits by hand, comparison {number}")
            broker.faults({"endpoint": "accounts-details", "fault": "missing_rows", "times": 1})
            _compare("a list without its last rows")
            broker.faults()
            _compare("and a whole one again")


if __name__ == "__main__":
    main()
