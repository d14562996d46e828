"""`make bench`: an own PostgreSQL in a temporary directory, a million programs, and the real web server."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import django

from propdesk.local.environment import add_secrets, lease_servers


@contextmanager
def _own_servers() -> Iterator[None]:
    """Settings, secrets and private servers for this run; nothing of it stays."""
    folder = tempfile.mkdtemp(prefix="propdesk-bench-")
    os.environ |= {"PROPDESK_DATA": folder, "DJANGO_SETTINGS_MODULE": "bench.settings", "PYTHONWARNINGS": "ignore"}
    os.environ.pop("DATABASE_URL", None)
    add_secrets(os.environ, create=True)
    leases = lease_servers(os.environ, durable=False)
    try:
        yield
    finally:
        for lease in leases:
            lease.leave()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Print the tables; 1 when a goal is missed."""
    # As Ctrl-C does: servers and files are cleaned away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rounds = int(os.environ.get("BENCH_ROUNDS", "7"))
    with _own_servers():
        django.setup()
        from bench import firm, tables, web  # noqa: PLC0415  (models need the settings first)

        print(f"Medians of {rounds} rounds in turns; ratios are medians of pairs (least - most).", flush=True)
        token = firm.prepare()
        firm.load(1, firm.SOME)
        with web.serving(token) as server:
            missed = tables.big_page(server, programs=firm.SOME, rounds=rounds)
            firm.load(firm.SOME + 1, firm.MANY)
            missed += tables.small_pages(server, rounds=rounds * 5)
            tables.deep_pages(server, rounds=rounds)
            tables.big_page(server, programs=firm.MANY, rounds=rounds)
    print("\nAll goals reached." if not missed else "\nMissed: " + "; ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
