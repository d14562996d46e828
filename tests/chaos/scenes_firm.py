"""Above the broker: verdicts and what follows from them, differences in the books, programs."""

from datetime import timedelta
from decimal import Decimal

from django.db.models import Max

from brokers.models import AccountOrder, Difference, TradingAccount, UnitReconciliation
from brokers.services import acknowledge_difference, mend_difference, reconcile_unit
from challenges.models import Breach, Challenge, ChallengeStatus, Enrollment, EnrollmentEvent, UnitWatch
from challenges.services.final_figures import record_final_figures
from challenges.services.opening import advance_enrollments
from programs.models import Program, ProgramEvent
from programs.services import save_program
from programs.services.saving import set_status
from propdesk.lib.times import utc_now
from tests.brokers.driving import TESTER, JumpingClock, adopted, placed
from tests.chaos.crashing import Scene, Stage, around, of, work_off

# Longer than a monitor or a comparison holds its unit: one that died with it has let go by then.
ANOTHER_TAKES_OVER = 120


def program_of(stage: Stage, *steps: dict[str, object]) -> Program:
    """One program for all challenges of a scene."""
    return Program.objects.filter(name="Crashing").first() or stage.firm.program(*steps, name="Crashing")


def catch_up(stage: Stage) -> None:
    """The clock of a monitor that died was ahead of ours."""
    latest = UnitWatch.objects.aggregate(latest=Max("tried_at"))["latest"]
    stage.firm.clock.now = max(stage.firm.clock.now, latest or stage.firm.clock.now)


# Verdicts


def running_challenge(stage: Stage, key: str) -> Challenge:
    return stage.firm.challenge(program_of(stage))


def lose_too_much(stage: Stage, challenge: Challenge) -> None:
    catch_up(stage)
    for _ in range(4):
        enrollment = challenge.enrollments.get()
        if enrollment.status != ChallengeStatus.ACTIVE:
            break
        stage.firm.trade(enrollment, equity=94000)
        stage.firm.watch(seconds=ANOTHER_TAKES_OVER)
    work_off(JumpingClock())
    record_final_figures(now=utc_now())


def has_been_failed(stage: Stage, challenge: Challenge) -> None:
    challenge.refresh_from_db()
    enrollment = challenge.enrollments.get()
    assert (challenge.status, enrollment.status) == (ChallengeStatus.FAILED, ChallengeStatus.FAILED)
    assert Breach.objects.get(enrollment=enrollment).observed == Decimal(94000)
    assert (enrollment.final_balance, enrollment.final_equity) == (Decimal(94000), Decimal(94000))
    assert enrollment.final_at is not None
    assert enrollment.account is not None
    row = stage.simulator.account(enrollment.account.login)
    assert (row["enabled"], row["positions"]) == (False, [])
    ends = EnrollmentEvent.objects.filter(subject_id=enrollment.pk, to_status=ChallengeStatus.FAILED)
    assert ends.count() == 1


def challenge_of_two_phases(stage: Stage, key: str) -> Challenge:
    return stage.firm.challenge(program_of(stage, {}, {"profit_target_pct": Decimal(5)}))


def pass_both(stage: Stage, challenge: Challenge) -> None:
    clock = JumpingClock()
    catch_up(stage)
    for _ in range(8):
        challenge.refresh_from_db()
        if challenge.status != ChallengeStatus.ACTIVE:
            break
        for enrollment in challenge.enrollments.filter(status=ChallengeStatus.ACTIVE):
            target = 108000 if enrollment.phase_index == 1 else 105000
            stage.firm.trade(enrollment, balance=target, equity=target)
            stage.firm.watch(seconds=ANOTHER_TAKES_OVER)
        work_off(clock)
        advance_enrollments(now=stage.firm.clock())
    work_off(clock)
    record_final_figures(now=utc_now())


def has_passed_both(stage: Stage, challenge: Challenge) -> None:
    challenge.refresh_from_db()
    assert challenge.status == ChallengeStatus.PASSED
    enrollments = list(challenge.enrollments.order_by("phase_index"))
    assert [(each.phase_index, each.status) for each in enrollments] == [(1, 2), (2, 2)]
    for enrollment, target in zip(enrollments, (108000, 105000), strict=True):
        assert (enrollment.final_equity, enrollment.final_at is None) == (Decimal(target), False)
        assert enrollment.account is not None
        assert stage.simulator.account(enrollment.account.login)["enabled"] is False
        events = EnrollmentEvent.objects.filter(subject_id=enrollment.pk).order_by("id")
        assert [event.to_status for event in events] == [0, 1, 2]
    assert not Enrollment.objects.filter(status=ChallengeStatus.PENDING).exists()


# Differences


def two_disabled_at_the_broker(stage: Stage, key: str) -> list[TradingAccount]:
    """Two accounts of ours that somebody at the broker has switched off: one is to be mended, one may stay."""
    orders = [placed(stage.demo, f"{key}:{number}") for number in range(2)]
    work_off(JumpingClock())
    accounts = [adopted(AccountOrder.objects.get(pk=order.pk)) for order in orders]
    # Like payers': no challenge has to run on them for them to be enabled.
    TradingAccount.objects.filter(pk__in=[account.pk for account in accounts]).update(order=None)
    for account in accounts:
        body = {"enable": False, "unit": stage.demo.unit, "accountNumbers": [account.login]}
        stage.simulator.post("accounts/enable", body)
    return accounts


def mend_one_and_let_the_other_be(stage: Stage, accounts: list[TradingAccount]) -> None:
    clock, (mended, left) = JumpingClock(), accounts
    differences = Difference.objects.filter(account__in=accounts)
    while not differences.filter(account=mended, status=Difference.Status.GONE).exists():
        _compare(stage, clock)
        for row in differences.filter(status=Difference.Status.OPEN):
            if row.account == mended:
                mend_difference(difference_id=row.pk, reason="A mistake.", by=TESTER, now=clock())
            else:
                acknowledge_difference(difference_id=row.pk, reason="It may stay.", by=TESTER, now=clock())
        work_off(clock)
    # In the end the broker switches the other one on again by itself.
    body = {"enable": True, "unit": stage.demo.unit, "accountNumbers": [left.login]}
    stage.simulator.post("accounts/enable", body)
    _compare(stage, clock)


def _compare(stage: Stage, clock: JumpingClock) -> None:
    row, _ = UnitReconciliation.objects.get_or_create(
        connection=stage.demo.connection, unit=stage.demo.unit, defaults={"next_at": clock()}
    )
    # By then everything has settled, and a comparison that died has let go.
    clock.offset += timedelta(seconds=ANOTHER_TAKES_OVER)
    UnitReconciliation.objects.filter(pk=row.pk).update(next_at=clock())
    reconcile_unit(reconciliation_id=row.pk, clock=clock)


def are_gone(stage: Stage, accounts: list[TradingAccount]) -> None:
    for account in accounts:
        row = Difference.objects.get(account=account)
        assert (row.status, stage.simulator.account(account.login)["enabled"]) == (Difference.Status.GONE, True)
    assert accounts[0].operations.filter(kind="enable", order=None, status=2).count() == 1


# Programs


def a_name(stage: Stage, key: str) -> str:
    return key


def edit_program(stage: Stage, name: str) -> None:
    """Staff look where the program stands, and go on from there."""
    steps = [
        {"phase_index": 1, "phase_type": 0, "name": "Evaluation", "account_group": stage.demo.name,
         "max_daily_loss_pct": Decimal(5), "max_total_loss_pct": Decimal(10), "profit_target_pct": Decimal(8)},
    ]  # fmt: skip
    data = {"brand": "default", "name": name, "price": Decimal(499), "price_currency": "USD", "steps": steps}
    program = Program.objects.filter(name=name).first() or save_program(data=data, by=TESTER, now=utc_now())
    ways = (Program.Status.DISABLED, Program.Status.ARCHIVED, Program.Status.ACTIVE)
    done = ProgramEvent.objects.filter(subject_id=program.pk).count() - 1
    for to in ways[done:]:
        set_status(program_id=program.pk, to=to, by=TESTER, now=utc_now())


def is_on_sale(stage: Stage, name: str) -> None:
    program = Program.objects.get(name=name)
    events = ProgramEvent.objects.filter(subject_id=program.pk).order_by("id")
    assert [event.to_status for event in events] == [0, 1, 2, 0]
    assert (program.status, program.phases.count(), program.versions.count()) == (Program.Status.ACTIVE, 1, 1)


SCENES = (
    Scene("a challenge that fails",
          (*around("enrollment failed", "challenge failed"), *of("disable", "intended", "done"),
           *of("close_all", "intended", "done"), "after call enable", "after call close-all-positions"),
          running_challenge, lose_too_much, has_been_failed),
    Scene("a challenge that passes",
          around("enrollment passed", "enrollment pending", "accountorder requested", "enrollment active",
                 "challenge passed"),
          challenge_of_two_phases, pass_both, has_passed_both),
    Scene("differences in the books",
          (*around("difference open", "difference being mended", "difference acknowledged", "difference gone"),
           *of("enable", "intended", "done")),
          two_disabled_at_the_broker, mend_one_and_let_the_other_be, are_gone),
    Scene("a program", around("program active", "program disabled", "program archived", "program active:2"),
          a_name, edit_program, is_on_sale),
)  # fmt: skip
