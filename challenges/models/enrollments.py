from typing import ClassVar

from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from challenges.models.challenges import CHALLENGE_EDGES, Challenge, ChallengeStatus
from propdesk.lib.money import MoneyField
from propdesk.lib.transitions import Event

OVER = (ChallengeStatus.PASSED, ChallengeStatus.FAILED, ChallengeStatus.CANCELLED)


class EnrollmentQuerySet(models.QuerySet["Enrollment"]):
    def watched(self) -> "EnrollmentQuerySet":
        """Those the monitor judges: active and with an account."""
        return self.filter(status=ChallengeStatus.ACTIVE, account__isnull=False)

    def awaiting_account(self) -> "EnrollmentQuerySet":
        """A later phase whose account is ordered but not ready yet."""
        return self.filter(status=ChallengeStatus.PENDING)

    def awaiting_final_figures(self) -> "EnrollmentQuerySet":
        """Those that are over and whose account has been read disabled and flat, each time that this was asked for."""
        kind, done = BrokerOperation.Kind, BrokerOperation.Status.DONE
        operations = BrokerOperation.objects.filter(
            subject=Concat(Value("enrollment:"), Cast(OuterRef("pk"), models.CharField()), Value(":close"))
        )
        disabled, closed = (operations.filter(kind=each, status=done) for each in (kind.DISABLE, kind.CLOSE_ALL))
        out = Exists(disabled) & Exists(closed) & ~Exists(operations.unfinished())
        return self.filter(out, status__in=OVER, final_at=None)


class EnrollmentEvent(Event):
    """What happened to an enrollment."""


class Enrollment(models.Model):
    """One run of one phase on one trading account: ScaleTrade's runtime phase, TradrAPI's enrollment.

    It is pending while its account is being opened, then active until it passes, fails or is cancelled.
    """

    Status = ChallengeStatus
    EDGES: ClassVar = CHALLENGE_EDGES
    EVENTS: ClassVar[type[Event]] = EnrollmentEvent

    challenge = models.ForeignKey(Challenge, on_delete=models.PROTECT, related_name="enrollments")
    predecessor = models.OneToOneField(
        "self", on_delete=models.RESTRICT, null=True, blank=True, related_name="successor"
    )
    phase_index = models.PositiveSmallIntegerField()
    phase_type = models.SmallIntegerField(help_text="0 evaluation, 1 funded.")
    phase_name = models.CharField(max_length=100)
    account_group = models.CharField(max_length=64, help_text="The group's name in the pinned terms.")
    order = models.OneToOneField(AccountOrder, on_delete=models.PROTECT, related_name="enrollment")
    account = models.OneToOneField(
        TradingAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="enrollment"
    )
    status = models.SmallIntegerField(choices=ChallengeStatus.choices, default=ChallengeStatus.PENDING)
    close_reason = models.CharField(max_length=100, blank=True, help_text="Why it is over, such as daily_loss.")
    review_reason = models.TextField(blank=True, help_text="Why staff have to look at it; empty when they need not.")
    is_paused = models.BooleanField("paused", default=False)
    initial_balance = MoneyField()
    initial_equity = MoneyField()
    final_balance = MoneyField(null=True)
    final_equity = MoneyField(null=True)
    final_at = models.DateTimeField(
        "flat since",
        null=True,
        help_text="When its account was read disabled and flat: the final figures are from then, "
        "and before from the verdict.",
    )
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = EnrollmentQuerySet.as_manager()

    class Meta:
        ordering = ("challenge", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["challenge"], condition=Q(status__in=[0, 1]), name="enrollment_one_open_per_challenge"
            ),
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2, 3, 4]), name="enrollment_status_known"),
            models.CheckConstraint(
                condition=~Q(status=1) | Q(account__isnull=False, started_at__isnull=False),
                name="enrollment_active_has_account",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[2, 3, 4]) | Q(ended_at__isnull=False), name="enrollment_over_has_end"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="enrollment_status"),
            models.Index(
                fields=["id"], condition=Q(status__in=[2, 3, 4], final_at=None), name="enrollment_not_yet_flat"
            ),
        ]

    def __str__(self) -> str:
        return f"enrollment {self.pk} ({self.phase_name})"
