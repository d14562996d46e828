"""`make bench`: an own PostgreSQL in a temporary directory, a million programs, and the real web server."""

import os
import signal
import sys

import django

from bench.servers import own_servers


def main() -> int:
    """Print the tables; 1 when a goal is missed."""
    # As Ctrl-C does: servers and files are cleaned away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    rounds = int(os.environ.get("BENCH_ROUNDS", "7"))
    with own_servers():
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
