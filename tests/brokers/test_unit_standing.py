"""Whether a unit was compared: what staff see when it was not, and that one bad unit stops no other."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from brokers.models import AccountGroup, Difference, UnitReconciliation
from brokers.services import reconcile_due_units
from brokers.services.reconciliation import EVERY, units
from propdesk.lib.times import utc_now
from tests.brokers.driving import JumpingClock
from tests.brokers.pages import read
from tests.propdesk.admin.rows import Firm, make_firm


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"age": timedelta(minutes=14)}, " compared "),
        ({"age": timedelta(minutes=16)}, "not compared since "),
        ({"age": timedelta(minutes=16), "failure": "No answer."}, "no data"),
        ({"age": timedelta(minutes=16), "money_failure": "No trades."}, "not compared since "),
        ({"age": timedelta(minutes=14), "money_failure": "No trades."}, "compared without money"),
        ({}, "not compared yet"),
    ],
)
def test_a_unit_that_nobody_has_compared_for_long_says_so(
    boss: Client, firm: Firm, values: dict[str, Any], shown: str
) -> None:
    now = utc_now()
    texts = {name: text for name, text in values.items() if name != "age"}
    read_at = now - values["age"] if "age" in values else None
    row = UnitReconciliation.objects.create(
        connection=firm.connection, unit=1, next_at=now, tried_at=read_at, compared_at=read_at, **texts
    )
    page = read(boss, reverse("admin:brokers_unitreconciliation_changelist"))
    assert shown in page
    assert ("not compared since" in page) == shown.startswith("not compared since")
    if shown == "not compared since " and read_at is not None:
        assert f"not compared since {read_at:%Y-%m-%d %H:%M} UTC" in page
    assert row.accounts_known == 0


@pytest.mark.parametrize("broken", ["judge", "write_down"])
def test_a_unit_whose_comparison_breaks_says_so_and_stops_no_other(
    demo_group: AccountGroup, real_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    honest = getattr(units, broken)

    def breaks(*args: Any, **kwargs: Any) -> Any:
        unit = args[0].unit if args else kwargs["unit"]
        if unit == demo_group.unit:
            raise KeyError("api_key=secret")
        return honest(*args, **kwargs)

    clock = JumpingClock()
    monkeypatch.setattr(units, broken, breaks)
    assert reconcile_due_units(clock=clock) == 2
    failed, compared = (UnitReconciliation.objects.get(unit=group.unit) for group in (demo_group, real_group))
    assert failed.failure == "The comparison itself failed, with KeyError: the log tells more."
    assert (failed.compared_at, failed.leased_until) == (None, None)
    assert failed.tried_at is not None
    assert failed.next_at - failed.tried_at == EVERY
    assert compared.failure == ""
    assert compared.compared_at is not None
    assert not Difference.objects.filter(unit=demo_group.unit).exists()
