import json
import threading
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from django.db import DatabaseError, connection, transaction

from brokers.models import AccountGroup
from programs.models import Program, ProgramVersion
from programs.services import current_version, next_phase_terms, phase_terms, save_program
from programs.terms import canonical_json
from propdesk.lib.actors import Actor
from tests.programs.programs import TWO_STEPS, with_step

NOW = datetime(2026, 5, 7, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BY = Actor("anna", 1)

pytestmark = pytest.mark.usefixtures("groups")


def make() -> Program:
    return save_program(data=TWO_STEPS, by=BY, now=NOW)


def numbers(program: Program) -> list[int]:
    return list(program.versions.order_by("number").values_list("number", flat=True))


def test_the_first_save_freezes_version_one() -> None:
    version = make().versions.get()

    assert (version.number, version.author, version.created_at) == (1, "anna", NOW)
    assert version.terms["program"] == {
        "brand": "default",
        "name": "Evaluation 100K",
        "description": "",
        "price": "499",
        "price_currency": "USD",
        "day_reset_time": "00:00",
        "day_reset_timezone": "UTC",
    }
    first = version.terms["phases"][0]
    assert (first["account_group"], first["initial_balance"], first["max_daily_loss_pct"]) == (
        "PROP_DEMO_USD",
        "100000",
        "5",
    )
    assert (first["phase_index"], first["phase_type"], first["total_loss_lock_pct"]) == (1, 0, None)


def test_the_digest_is_the_sha256_of_the_stored_terms() -> None:
    version = ProgramVersion.objects.get(program=make())

    assert version.digest == sha256(canonical_json(version.terms).encode()).hexdigest()
    assert json.loads(canonical_json(version.terms)) == version.terms


@pytest.mark.parametrize(
    "changes",
    [
        {"price": Decimal(500)},
        {"name": "Other"},
        {"day_reset_time": time(17, 0)},
        {"day_reset_timezone": "Europe/Prague"},
        {"steps": with_step(0, max_daily_loss_pct=Decimal("5.5"))["steps"]},
        {"steps": with_step(0, loss_tested_on="lower")["steps"]},
        {"steps": with_step(1, profit_split=Decimal("0.9"))["steps"]},
    ],
)
def test_a_change_of_terms_writes_a_version(changes: dict[str, object]) -> None:
    program = make()

    save_program(program_id=program.pk, data=changes, by=Actor("ben"), now=LATER)

    assert numbers(program) == [1, 2]
    newest = program.versions.get(number=2)
    assert (newest.author, newest.created_at) == ("ben", LATER)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"status": 1},
        {"sort_index": 9},
        {"price": Decimal("499.00")},
        {"steps": TWO_STEPS["steps"]},
        {"steps": with_step(0, max_daily_loss_pct=Decimal("5.000"), breach_when="below")["steps"]},
    ],
)
def test_the_same_terms_write_none(changes: dict[str, object]) -> None:
    program = make()

    save_program(program_id=program.pk, data=changes, by=BY, now=LATER)

    assert numbers(program) == [1]


def test_phase_terms_are_typed() -> None:
    version = current_version(make(), now=NOW)

    second = phase_terms(version, 2)
    assert (second.phase_type, second.account_group, second.profit_split) == (1, "PROP_REAL_USD", Decimal("0.8"))
    assert second.initial_balance == Decimal(100_000)
    assert phase_terms(version, 1).rules.max_daily_loss_pct == Decimal(5)
    assert phase_terms(version, 1).rules.day_reset_time == time(0, 0)


def test_a_phase_that_is_not_there_is_a_lookup_error() -> None:
    with pytest.raises(LookupError, match="has no phase 3"):
        phase_terms(current_version(make(), now=NOW), 3)


def test_the_next_phase_ends_after_the_last() -> None:
    version = current_version(make(), now=NOW)

    following = next_phase_terms(version, 1)
    assert following is not None
    assert following.phase_index == 2
    assert next_phase_terms(version, 2) is None


def test_a_changed_default_deposit_is_a_new_version_by_the_next_sale(demo_group: AccountGroup) -> None:
    program = make()
    AccountGroup.objects.filter(pk=demo_group.pk).update(default_deposit=Decimal(50_000))

    version = current_version(program, now=LATER)

    assert (version.number, version.author) == (2, "account group change")
    assert phase_terms(version, 1).initial_balance == Decimal(50_000)
    assert phase_terms(program.versions.get(number=1), 1).initial_balance == Decimal(100_000)
    assert current_version(program, now=LATER) == version


def test_a_version_cannot_be_changed_even_in_the_database() -> None:
    version = make().versions.get()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ProgramVersion.objects.filter(pk=version.pk).update(digest="0" * 64)

    assert ProgramVersion.objects.get().digest == version.digest


@pytest.mark.django_db(transaction=True)
def test_two_buyers_under_a_shared_lock_agree_on_the_new_version(demo_group: AccountGroup) -> None:
    program = make()
    AccountGroup.objects.filter(pk=demo_group.pk).update(default_deposit=Decimal(50_000))
    both_locked = threading.Barrier(2, timeout=60)
    found: list[int] = []

    def buy() -> None:
        try:
            with transaction.atomic():
                [locked] = Program.objects.raw("SELECT * FROM programs_program WHERE id = %s FOR SHARE", [program.pk])
                both_locked.wait()
                found.append(current_version(locked, now=LATER).pk)
        finally:
            connection.close()

    buyers = [threading.Thread(target=buy) for _ in range(2)]
    for buyer in buyers:
        buyer.start()
    for buyer in buyers:
        buyer.join(timeout=60)

    assert len(found) == 2
    assert len(set(found)) == 1
    assert numbers(program) == [1, 2]
