from typing import ClassVar

from django.db import models
from django.db.models import Q

from programs.models import Program, ProgramVersion
from propdesk.lib.transitions import Event
from purchases.models import Customer, Purchase


class ChallengeStatus(models.IntegerChoices):
    """Seed 000; an enrollment uses the same numbers."""

    PENDING = 0, "pending"
    ACTIVE = 1, "active"
    PASSED = 2, "passed"
    FAILED = 3, "failed"
    CANCELLED = 4, "cancelled"


CHALLENGE_EDGES: dict[int, frozenset[int]] = {
    ChallengeStatus.PENDING: frozenset({ChallengeStatus.ACTIVE, ChallengeStatus.FAILED, ChallengeStatus.CANCELLED}),
    ChallengeStatus.ACTIVE: frozenset({ChallengeStatus.PASSED, ChallengeStatus.FAILED, ChallengeStatus.CANCELLED}),
}


class ChallengeQuerySet(models.QuerySet["Challenge"]):
    def for_details(self) -> "ChallengeQuerySet":
        """With everything that one challenge's page or answer shows of its surroundings."""
        related = self.select_related("purchase__payer__account", "program", "program_version")
        return related.prefetch_related("program__phases__account_group")


class ChallengeEvent(Event):
    """What happened to a challenge."""


class Challenge(models.Model):
    """What a purchase bought: the customer's way through the phases, on the terms pinned at purchase.

    It becomes passed when its last phase passes; reaching a funded phase keeps it active.
    """

    Status = ChallengeStatus
    EDGES: ClassVar = CHALLENGE_EDGES
    EVENTS: ClassVar[type[Event]] = ChallengeEvent

    purchase = models.OneToOneField(Purchase, on_delete=models.PROTECT, related_name="challenge")
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="challenges")
    program_version = models.ForeignKey(ProgramVersion, on_delete=models.PROTECT, related_name="challenges")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="challenges")
    account_login = models.BigIntegerField(help_text="The current phase's trading account.")
    current_phase_index = models.PositiveSmallIntegerField(default=1)
    status = models.SmallIntegerField(choices=ChallengeStatus.choices, default=ChallengeStatus.ACTIVE)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = ChallengeQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2, 3, 4]), name="challenge_status_known"),
            models.CheckConstraint(
                condition=~Q(status__in=[2, 3, 4]) | Q(ended_at__isnull=False), name="challenge_over_has_end"
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-id"], name="challenge_status"),
            models.Index(fields=["customer", "-id"], name="challenge_customer"),
        ]

    def __str__(self) -> str:
        return f"challenge {self.pk}"
