"""Prepare the demo firm and write demo.json."""

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from brokers.client.errors import BrokerError
from brokers.services import broker_for
from challenges.demo import document, firm, payers, people, traders
from propdesk.lib.actors import system
from propdesk.lib.times import utc_now
from purchases.models import PayerAccount

CUSTOMERS = 2


class Command(BaseCommand):
    help = (
        "Prepare the demo firm (people, tokens, groups, the first program, customers with money, simulated traders) "
        "and write demo.json into PROPDESK_DATA. It can be run any number of times: what exists is kept."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--traders",
            type=int,
            default=int(os.environ.get("PROPDESK_DEMO_TRADERS", "300")),
            help="How many simulated traders the market gets on the first start (default 300).",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        path = settings.DATA_DIR / "demo.json"
        previous = document.read(path)
        by, now = system("demo"), utc_now()
        address = _broker_address()
        try:
            connection = firm.ensure_connection(address)
            groups = firm.ensure_groups(connection)
            admin = people.ensure_admin(previous)
            tokens = people.ensure_staff_tokens(previous, by=by, now=now)
            program = firm.ensure_program(by=by, now=now)
            customers = [people.ensure_customer(number) for number in range(1, CUSTOMERS + 1)]
            accounts = [payers.ensure_payer(c, groups[firm.REAL_GROUP], by=by, clock=utc_now) for c in customers]
            if address.is_simulator:
                seeded = traders.ensure_traders(
                    options["traders"], program=program, group=groups[firm.DEMO_GROUP], address=address, by=by, now=now
                )
                self.stdout.write(f"{seeded} simulated traders are in the market.")
        except (BrokerError, payers.DemoBrokerError) as error:
            raise CommandError(f"The demo could not be prepared at {address.base_url}: {error}") from error
        known = {entry.get("id"): entry.get("token", "") for entry in previous.get("customers", [])}
        entries = [
            _customer_entry(payer, {"SESSION_CUSTOMER": known.get(payer.customer_id, "")}, by=by, now=now)
            for payer in accounts
        ]
        document.write(
            path,
            {
                "base_url": f"http://127.0.0.1:{os.environ.get('PORT', '8000')}",
                "mng_tcp": f"127.0.0.1:{settings.MNG_PORT}",
                "admin": admin,
                "tokens": {**tokens, "SESSION_CUSTOMER": entries[0]["token"]},
                "customer": {"id": entries[0]["id"], "payer_login": entries[0]["payer_login"]},
                "customers": entries,
                "broker": {
                    "base_url": address.base_url,
                    "api_key": address.api_key,
                    "unit": groups[firm.DEMO_GROUP].unit,
                },
            },
        )
        broker_for(connection).ping()
        self.stdout.write(f"Wrote {path}.")


def _broker_address() -> firm.BrokerAddress:
    """BROKER_URL and BROKER_API_KEY if set, else the bundled simulator."""
    url = os.environ.get("BROKER_URL", "")
    if url:
        return firm.BrokerAddress(url.rstrip("/"), os.environ.get("BROKER_API_KEY", ""), is_simulator=False)
    port, key = os.environ.get("BROKERSIM_PORT", "8100"), os.environ["BROKERSIM_API_KEY"]
    return firm.BrokerAddress(f"http://127.0.0.1:{port}", key, is_simulator=True)


def _customer_entry(payer: PayerAccount, previous: dict[str, str], **stamp: Any) -> dict[str, Any]:
    token = people.customer_token(payer.customer, previous, **stamp)
    return {"id": payer.customer_id, "payer_login": payer.account.login, "token": token}
