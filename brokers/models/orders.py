from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from brokers.models.connections import AccountGroup
from propdesk.lib.money import MoneyField
from propdesk.lib.transitions import Event


class AccountOrderQuerySet(models.QuerySet["AccountOrder"]):
    def open(self) -> "AccountOrderQuerySet":
        """Orders that are still to be worked on by machine."""
        return self.filter(status__in=(AccountOrder.Status.REQUESTED, AccountOrder.Status.OPENING))

    def due(self, now: datetime) -> "AccountOrderQuerySet":
        """Open orders whose time has come and that no worker holds."""
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        return self.open().filter(free, next_at__lte=now).order_by("next_at", "id")


class AccountOrderEvent(Event):
    """What happened to an account order."""


class AccountOrder(models.Model):
    """ "Open, fund and enable an account in this group": the only way an account comes to be.

    Its owner (a layer above) writes it in its own transaction under a unique `reference` and watches `status`.
    """

    class Status(models.IntegerChoices):
        REQUESTED = 0, "requested"
        OPENING = 1, "opening"
        READY = 2, "ready"
        FAILED = 3, "failed"
        NEEDS_REVIEW = 4, "needs review"
        CANCELLED = 5, "cancelled"

    EDGES: ClassVar[dict[int, frozenset[int]]] = {
        Status.REQUESTED: frozenset({Status.OPENING, Status.FAILED, Status.NEEDS_REVIEW, Status.CANCELLED}),
        Status.OPENING: frozenset({Status.READY, Status.FAILED, Status.NEEDS_REVIEW, Status.CANCELLED}),
        Status.NEEDS_REVIEW: frozenset({Status.OPENING, Status.FAILED, Status.CANCELLED}),
    }
    EVENTS: ClassVar[type[Event]] = AccountOrderEvent

    reference = models.CharField(max_length=100, unique=True, help_text="The owner's name for it, such as purchase:12.")
    group = models.ForeignKey(AccountGroup, on_delete=models.PROTECT, related_name="orders")
    deposit = MoneyField(help_text="What the account is funded with, once.")
    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)
    status = models.SmallIntegerField(choices=Status.choices, default=Status.REQUESTED)
    account = models.OneToOneField(
        "brokers.TradingAccount", on_delete=models.PROTECT, null=True, blank=True, related_name="adopted_by"
    )
    was_in_doubt = models.BooleanField(default=False, help_text="Some call of this order once had an unknown outcome.")
    failure_reason = models.CharField(max_length=100, blank=True)
    review_reason = models.TextField(blank=True)
    cancel_asked_at = models.DateTimeField(
        null=True, help_text="When its owner asked to cancel it; the machine then ends what has begun."
    )
    cancel_reason = models.CharField(max_length=100, blank=True)
    next_at = models.DateTimeField(help_text="When to work on it next.")
    leased_until = models.DateTimeField(null=True, help_text="A worker holds it until then.")
    resumed_at = models.DateTimeField(
        null=True, help_text="When staff last had it tried again; patience counts from then."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)

    objects = AccountOrderQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(condition=Q(deposit__gte=0), name="order_deposit_not_negative"),
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2, 3, 4, 5]), name="order_status_known"),
            models.CheckConstraint(
                condition=~Q(status=2) | Q(account__isnull=False, ready_at__isnull=False),
                name="order_ready_has_account",
            ),
            models.CheckConstraint(
                condition=Q(cancel_asked_at=None) | ~Q(status=2), name="order_ready_is_not_cancelled"
            ),
            models.CheckConstraint(condition=~Q(status=3) | ~Q(failure_reason=""), name="order_failed_has_reason"),
        ]
        indexes = [models.Index(fields=["next_at", "id"], condition=Q(status__in=[0, 1]), name="order_due")]

    def __str__(self) -> str:
        return self.reference

    @property
    def is_over(self) -> bool:
        """Nobody works on it any more, nor on its operations."""
        return self.status in {self.Status.READY, self.Status.FAILED, self.Status.CANCELLED}
