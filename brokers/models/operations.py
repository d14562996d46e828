from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from brokers.models.accounts import TradingAccount
from brokers.models.connections import BrokerConnection
from brokers.models.orders import AccountOrder
from propdesk.lib.money import MoneyField
from propdesk.lib.transitions import Event


class BrokerOperationQuerySet(models.QuerySet["BrokerOperation"]):
    def open(self) -> "BrokerOperationQuerySet":
        """Operations that are still to be worked on by machine."""
        status = BrokerOperation.Status
        return self.filter(status__in=(status.INTENDED, status.CALLING, status.IN_DOUBT))

    def unfinished(self) -> "BrokerOperationQuerySet":
        """Open ones and those that wait for staff: whatever may still change something at the broker."""
        status = BrokerOperation.Status
        return self.filter(status__in=(status.INTENDED, status.CALLING, status.IN_DOUBT, status.NEEDS_REVIEW))

    def under_way(self, now: datetime) -> "BrokerOperationQuerySet":
        """Without those that are to begin later."""
        return self.exclude(status=BrokerOperation.Status.INTENDED, attempts=0, next_at__gt=now)

    def due(self, now: datetime) -> "BrokerOperationQuerySet":
        """Open ones that stand alone (an order drives its own), whose time has come and that no worker holds."""
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        status, kind = BrokerOperation.Status, BrokerOperation.Kind
        unblocked = Q(after=None) | Q(after__status=status.DONE)
        # Losses are limited by closing, whatever has become of the disabling.
        unblocked |= Q(kind=kind.CLOSE_ALL, after__status__in=(status.NEEDS_REVIEW, status.REFUSED, status.CANCELLED))
        return self.open().filter(free, unblocked, order=None, next_at__lte=now).order_by("next_at", "id")


class BrokerOperationEvent(Event):
    """What happened to a broker operation: each attempt and how it ended."""


class BrokerOperation(models.Model):
    """The intent and the outcome of one call that changes something at a broker (mechanisms M2, M3, M12).

    The row is committed before the call. A timed-out call leaves it *in doubt*, never failed: it is settled by reading
    the broker. Repeatable set-state kinds (enable, disable, close all) count as done only when a reading confirms them.
    """

    class Kind(models.TextChoices):
        CREATE = "create", "create account"
        DEPOSIT = "deposit", "deposit"
        WITHDRAW = "withdraw", "withdraw"
        ENABLE = "enable", "enable"
        DISABLE = "disable", "disable"
        CLOSE_ALL = "close_all", "close all positions"
        CLOSE_ONE = "close_one", "close one position"
        RESET_PASSWORD = "reset_password", "reset password"

    class Purpose(models.TextChoices):
        """What money is moved for where no order asks for it; the ledger's other side is named after it."""

        PRICE = "price", "price of a purchase"
        DIFFERENCE = "difference", "mended difference"
        STAFF = "staff", "staff movement"

    class Status(models.IntegerChoices):
        INTENDED = 0, "intended"
        CALLING = 1, "calling"
        DONE = 2, "done"
        REFUSED = 3, "refused"
        IN_DOUBT = 4, "in doubt"
        NEEDS_REVIEW = 5, "needs review"
        CANCELLED = 6, "cancelled"

    EDGES: ClassVar[dict[int, frozenset[int]]] = {
        Status.INTENDED: frozenset({Status.CALLING, Status.DONE, Status.NEEDS_REVIEW, Status.CANCELLED}),
        Status.CALLING: frozenset({Status.INTENDED, Status.DONE, Status.REFUSED, Status.IN_DOUBT, Status.NEEDS_REVIEW}),
        Status.IN_DOUBT: frozenset({Status.INTENDED, Status.DONE, Status.NEEDS_REVIEW, Status.CANCELLED}),
        Status.NEEDS_REVIEW: frozenset(
            {Status.INTENDED, Status.IN_DOUBT, Status.DONE, Status.REFUSED, Status.CANCELLED}
        ),
    }
    EVENTS: ClassVar[type[Event]] = BrokerOperationEvent
    MONEY = (Kind.DEPOSIT, Kind.WITHDRAW)

    subject = models.CharField(max_length=100, help_text="What it is for, such as order:12 or purchase:7:payment.")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    generation = models.PositiveSmallIntegerField(
        default=1, help_text="Counts up when the same thing has to be done again."
    )
    connection = models.ForeignKey(BrokerConnection, on_delete=models.PROTECT, related_name="operations")
    order = models.ForeignKey(AccountOrder, on_delete=models.PROTECT, null=True, blank=True, related_name="operations")
    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="operations"
    )
    after = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="followers",
        help_text="Runs once this one is done.",
    )  # fmt: skip
    amount = MoneyField(null=True, blank=True)
    purpose = models.CharField(
        max_length=20, choices=Purpose.choices, blank=True, default="", db_default="",
        help_text="Of money without an order.",
    )  # fmt: skip
    position_id = models.BigIntegerField(null=True, blank=True, help_text="The broker's id of the position to close.")
    comment = models.CharField(max_length=100, blank=True)
    marker = models.EmailField(blank=True, help_text="The unique e-mail address a created account carries.")
    status = models.SmallIntegerField(choices=Status.choices, default=Status.INTENDED)
    was_in_doubt = models.BooleanField(default=False)
    attempts = models.PositiveIntegerField(default=0, help_text="Calls that reached the broker, or may have.")
    started_at = models.DateTimeField(null=True, help_text="When the last call began.")
    settle_at = models.DateTimeField(
        null=True, help_text="A reading begun before this moment cannot show that the call had no effect."
    )
    baseline = models.JSONField(
        null=True, blank=True, help_text="The account's transfers before the call; empty: the call was not made."
    )
    evidence = models.JSONField(
        default=dict, blank=True, help_text="What the outcome was concluded from. Never a key or a password."
    )
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    review_reason = models.TextField(blank=True)
    next_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, help_text="A worker holds it until then.")
    resumed_at = models.DateTimeField(
        null=True, help_text="When staff last had it tried again; patience counts from then."
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = BrokerOperationQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["subject", "kind", "generation"], name="operation_intent_once"),
            # One money operation per account at a time: only so can arithmetic over transfers tell what happened (M7).
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(kind__in=["deposit", "withdraw"], status__in=[1, 4, 5]),
                name="operation_one_money_in_flight",
            ),
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2, 3, 4, 5, 6]), name="operation_status_known"),
            models.CheckConstraint(
                condition=~Q(kind__in=["deposit", "withdraw"]) | Q(amount__gt=0, account__isnull=False),
                name="operation_money_has_amount",
            ),
            models.CheckConstraint(
                condition=~Q(kind="close_one") | Q(position_id__isnull=False, account__isnull=False),
                name="operation_close_one_has_position",
            ),
            models.CheckConstraint(condition=~Q(kind="create") | ~Q(marker=""), name="operation_create_has_marker"),
            models.CheckConstraint(condition=~Q(status=5) | ~Q(review_reason=""), name="operation_review_has_reason"),
        ]
        indexes = [models.Index(fields=["next_at", "id"], condition=Q(status__in=[0, 1, 4]), name="operation_due")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.subject}"
