"""The demo firm's broker connection, groups and first program: the seeds' own data."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from brokers.models import AccountGroup, AccountMode, BrokerConnection
from brokers.services import broker_for
from programs.models import Program
from programs.services import save_program
from propdesk.lib.actors import Actor

DEMO_GROUP = "PROP_DEMO_USD"
REAL_GROUP = "PROP_REAL_USD"

# The two steps of seed 001, sold under the name and price of seed 004's row.
FIRST_PROGRAM = {
    "brand": "default",
    "name": "Evaluation 100K",
    "description": "Two phase evaluation",
    "price": Decimal("499.0"),
    "price_currency": "USD",
    "status": 0,
    "sort_index": 100,
    "steps": [
        {
            "phase_index": 1,
            "phase_type": 0,
            "name": "Evaluation",
            "account_group": DEMO_GROUP,
            "duration_days": 30,
            "max_daily_loss_pct": Decimal(5),
            "max_total_loss_pct": Decimal(10),
            "max_daily_profit_pct": Decimal(0),
            "profit_target_pct": Decimal(10),
            "profit_split": Decimal(0),
        },
        {
            "phase_index": 2,
            "phase_type": 1,
            "name": "Funded",
            "account_group": REAL_GROUP,
            "duration_days": 30,
            "max_daily_loss_pct": Decimal(5),
            "max_total_loss_pct": Decimal(10),
            "max_daily_profit_pct": Decimal(5),
            "profit_target_pct": Decimal(0),
            "profit_split": Decimal("0.8"),
        },
    ],
}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the demo's broker is. `is_simulator`: it is the bundled one, so its control surface may be used."""

    base_url: str
    api_key: str
    is_simulator: bool


def ensure_connection(address: BrokerAddress) -> BrokerConnection:
    """The demo's connection, pointed at today's address; patience is short where the broker is the simulator."""
    patience = {"settle_seconds": 3, "quarantine_seconds": 10} if address.is_simulator else {}
    connection, _ = BrokerConnection.objects.update_or_create(
        name="demo", defaults={"base_url": address.base_url, "api_key": address.api_key, **patience}
    )
    return connection


def ensure_groups(connection: BrokerConnection) -> dict[str, AccountGroup]:
    """PROP_DEMO_USD and PROP_REAL_USD, on the units that the broker itself names."""
    units = broker_for(connection).units()
    demo, real = choose_units(units)
    groups = {}
    for name, mode, unit in ((DEMO_GROUP, AccountMode.DEMO, demo), (REAL_GROUP, AccountMode.REAL, real)):
        groups[name], _ = AccountGroup.objects.update_or_create(
            name=name,
            defaults={
                "connection": connection,
                "mode": mode,
                "currency": "USD",
                "default_deposit": Decimal(100000),
                "unit": unit,
                "broker_group": f"{unit}:{units[unit]}",
            },
        )
    return groups


def choose_units(units: dict[int, str]) -> tuple[int, int]:
    """The DEMO and the REAL unit: by their names if these tell, else the first and the last one the broker lists."""
    if not units:
        raise ValueError("The broker lists no units, so no account can be opened there.")
    numbers = sorted(units)
    demo = next((n for n in numbers if "DEMO" in units[n].upper()), numbers[0])
    real = next((n for n in numbers if "REAL" in units[n].upper()), numbers[-1])
    return demo, real


def ensure_program(*, by: Actor, now: datetime) -> Program:
    """ "Evaluation 100K", unless the firm has programs already: what staff made of theirs stays as it is."""
    existing = Program.objects.order_by("id").first()
    return existing or save_program(data=FIRST_PROGRAM, by=by, now=now)
