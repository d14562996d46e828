from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q

from brokers.models.accounts import TradingAccount
from brokers.models.connections import BrokerConnection
from brokers.models.operations import BrokerOperation
from brokers.models.orders import AccountOrder
from propdesk.lib.money import MoneyField
from propdesk.lib.transitions import Event


class UnitReconciliationQuerySet(models.QuerySet["UnitReconciliation"]):
    def due(self, now: datetime) -> "UnitReconciliationQuerySet":
        """Units whose time has come, at brokers that may be called, and that no worker holds."""
        free = Q(leased_until=None) | Q(leased_until__lte=now)
        return self.filter(free, next_at__lte=now, connection__is_enabled=True).order_by("next_at", "id")


class UnitReconciliation(models.Model):
    """How our accounts of one unit compared with the broker's list of it, the last time that could be told."""

    connection = models.ForeignKey(BrokerConnection, on_delete=models.PROTECT, related_name="reconciliations")
    unit = models.BigIntegerField(help_text="The broker's unit (its trading group id).")
    next_at = models.DateTimeField(help_text="When to compare next.")
    leased_until = models.DateTimeField(null=True, help_text="A worker compares it until then.")
    tried_at = models.DateTimeField(null=True)
    compared_at = models.DateTimeField(null=True, help_text="When the last reading began that could be compared.")
    failure = models.TextField(blank=True, help_text="Why the last reading was no data; empty: it was compared.")
    money_failure = models.TextField(blank=True, help_text="Why the last reading left out the money.")
    seconds = models.FloatField(null=True)
    accounts_known = models.PositiveIntegerField(default=0)
    accounts_at_broker = models.PositiveIntegerField(default=0)
    examined = models.PositiveIntegerField(default=0, help_text="Accounts whose every transfer and trade was read.")
    left_over = models.PositiveIntegerField(default=0, help_text="Suspects that wait for the next comparison.")

    objects = UnitReconciliationQuerySet.as_manager()

    class Meta:
        ordering = ("connection__name", "unit")
        verbose_name = "unit reconciliation"
        constraints = [models.UniqueConstraint(fields=["connection", "unit"], name="reconciliation_once_per_unit")]

    def __str__(self) -> str:
        return f"unit {self.unit}"


class BalanceCheck(models.Model):
    """From where an account's balance is explained, and up to where it has been.

    `since`, `start_balance` and `start_transfers` are the account's birth (zero), or, for an account whose beginning we
    did not see, the figures that were found there. `gap` is what could not be explained at `checked_at`.
    """

    account = models.OneToOneField(TradingAccount, on_delete=models.CASCADE, related_name="balance_check")
    since = models.DateTimeField()
    start_balance = MoneyField()
    start_transfers = models.PositiveIntegerField(help_text="How many transfers there were then.")
    checked_at = models.DateTimeField()
    examined_at = models.DateTimeField(help_text="When every transfer and trade since `since` was last read.")
    balance = MoneyField(help_text="At checked_at.")
    gap = MoneyField(help_text="The balance less all that explains it.")

    def __str__(self) -> str:
        return f"balance of {self.account_id}"


class DifferenceEvent(Event):
    """What happened to a difference."""


class DifferenceQuerySet(models.QuerySet["Difference"]):
    def present(self) -> "DifferenceQuerySet":
        """Those that the last reading still showed."""
        return self.exclude(status=Difference.Status.GONE)

    def waiting(self) -> "DifferenceQuerySet":
        """Those that staff have neither mended nor acknowledged."""
        return self.filter(status=Difference.Status.OPEN)


class Difference(models.Model):
    """Something that is otherwise at the broker than in our books. Seen again, it stays the same row."""

    class Kind(models.TextChoices):
        UNKNOWN_ACCOUNT = "unknown_account", "unknown account"
        MISSING_ACCOUNT = "missing_account", "account missing"
        ENABLED = "enabled", "enabled, should be disabled"
        DISABLED = "disabled", "disabled, should be enabled"
        OPEN_POSITIONS = "open_positions", "positions open, should be flat"
        BALANCE = "balance", "balance not explained"
        TRANSFER = "transfer", "transfer without an operation"

    class Status(models.IntegerChoices):
        OPEN = 0, "open"
        MENDING = 1, "being mended"
        ACKNOWLEDGED = 2, "acknowledged"
        GONE = 3, "gone"

    EDGES: ClassVar[dict[int, frozenset[int]]] = {
        Status.OPEN: frozenset({Status.MENDING, Status.ACKNOWLEDGED, Status.GONE}),
        Status.MENDING: frozenset({Status.OPEN, Status.ACKNOWLEDGED, Status.GONE}),
        Status.ACKNOWLEDGED: frozenset({Status.OPEN, Status.GONE}),
    }
    EVENTS: ClassVar[type[Event]] = DifferenceEvent

    connection = models.ForeignKey(BrokerConnection, on_delete=models.PROTECT, related_name="differences")
    unit = models.BigIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices)
    login = models.BigIntegerField("account number")
    detail = models.CharField(max_length=100, blank=True, help_text="Tells several of a kind at one account apart.")
    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="differences"
    )
    order = models.ForeignKey(
        AccountOrder, on_delete=models.PROTECT, null=True, blank=True, related_name="differences",
        help_text="The order whose marker an unknown account carries.",
    )  # fmt: skip
    ours = models.TextField(help_text="What our books say.")
    theirs = models.TextField(help_text="What the broker says.")
    gap = MoneyField(null=True, blank=True, help_text="Money at the broker that we cannot explain.")
    cause = models.TextField(help_text="The likely cause.")
    status = models.SmallIntegerField(choices=Status.choices, default=Status.OPEN)
    operation = models.ForeignKey(
        BrokerOperation, on_delete=models.PROTECT, null=True, blank=True, related_name="differences_mended",
        help_text="The operation that is to mend it, or has.",
    )  # fmt: skip
    mends = models.PositiveSmallIntegerField(default=0, help_text="How often it was to be mended.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    objects = DifferenceQuerySet.as_manager()

    class Meta:
        ordering = ("status", "-last_seen_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "login", "kind", "detail"],
                condition=Q(status__in=[0, 1, 2]),
                name="difference_present_once",
            ),
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2, 3]), name="difference_status_known"),
            models.CheckConstraint(
                condition=Q(status=3, resolved_at__isnull=False) | (~Q(status=3) & Q(resolved_at=None)),
                name="difference_gone_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["connection", "unit"], condition=Q(status__in=[0, 1, 2]), name="difference_present"),
            models.Index(fields=["status", "-last_seen_at"], name="difference_listed"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.login}"
