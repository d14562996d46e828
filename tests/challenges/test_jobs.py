"""The sweeper's jobs alone, without Celery or Redis, take a sale to a challenge and a breach to a disabled account."""

import time
from collections.abc import Callable

import pytest
from pytest_django import Settings

from brokers.models import TradingAccount
from challenges.models import Breach, Challenge, ChallengeStatus
from propdesk.lib.processes.registry import registered_jobs
from propdesk.lib.times import utc_now
from purchases.models import Customer, PayerAccount
from purchases.services import buy
from tests.challenges.firm import TESTER, Firm

OURS = {
    "challenges.open",
    "challenges.advance",
    "challenges.watch",
    "challenges.record_final_figures",
    "challenges.make_partitions",
}


def sweep_until(done: Callable[[], bool], seconds: float = 100) -> None:
    """Run every app's jobs again and again, as the sweeper does."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "the jobs did not get there"
        for job in registered_jobs():
            job.run(utc_now())


def test_every_job_of_this_app_is_registered() -> None:
    assert {job.name for job in registered_jobs()} >= OURS


@pytest.mark.timeout(300)
def test_from_a_sale_to_a_failed_challenge_by_the_sweeper_alone(
    firm: Firm, payer: TradingAccount, settings: Settings
) -> None:
    settings.MONITOR_SECONDS = 0
    customer = Customer.objects.create(email="bob@example.com", first_name="Bob", last_name="Buyer")
    PayerAccount.objects.create(customer=customer, account=payer)
    program = firm.program()
    buy(
        customer=customer, program_id=program.pk, payer_login=payer.login, idempotency_key="", by=TESTER, now=utc_now()
    )  # fmt: skip

    sweep_until(lambda: Challenge.objects.filter(status=ChallengeStatus.ACTIVE).exists())

    login = Challenge.objects.get().account_login
    opened = firm.simulator.account(login)
    assert (opened["enabled"], opened["balance"]) == (True, 100000)
    firm.simulator.set(login, equity=94999.99)

    sweep_until(lambda: not firm.simulator.account(login)["enabled"] and not firm.simulator.account(login)["positions"])

    assert Challenge.objects.get().status == ChallengeStatus.FAILED
    breach = Breach.objects.get()
    assert (breach.rule, str(breach.level), str(breach.observed)) == ("daily_loss", "95000.00000000", "94999.99000000")
