from datetime import time
from decimal import Decimal
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Round

from brokers.models import AccountGroup
from programs.rule_fields import (
    choice_field,
    count_field,
    flag_field,
    lots_field,
    optional_pct_field,
    pct_field,
    rule_constraints,
    time_field,
)
from propdesk.lib.money import CURRENCY_DECIMALS, MoneyField
from propdesk.lib.transitions import Event

MAX_PRICE = Decimal(1_000_000_000)


def _price_in_its_currency() -> Q:
    """A known currency, and no more decimals than it has."""
    condition = Q()
    for decimals in sorted(set(CURRENCY_DECIMALS.values())):
        currencies = sorted(code for code, places in CURRENCY_DECIMALS.items() if places == decimals)
        condition |= Q(price_currency__in=currencies, price=Round("price", precision=decimals))
    return condition


class ProgramEvent(Event):
    """What happened to a program: activated, disabled, archived, deleted."""


class Program(models.Model):
    """A product on sale: an ordered list of phases with a price. Statuses: seed 000."""

    class Status(models.IntegerChoices):
        ACTIVE = 0, "active"
        DISABLED = 1, "disabled"
        ARCHIVED = 2, "archived"

    EDGES: ClassVar[dict[int, frozenset[int]]] = {
        Status.ACTIVE: frozenset({Status.DISABLED, Status.ARCHIVED}),
        Status.DISABLED: frozenset({Status.ACTIVE, Status.ARCHIVED}),
        Status.ARCHIVED: frozenset({Status.ACTIVE, Status.DISABLED}),
    }
    EVENTS: ClassVar[type[Event]] = ProgramEvent

    brand = models.CharField(max_length=64, default="default", help_text="Brand namespace.")
    name = models.CharField(max_length=128, help_text="Shown to staff and customers.")
    description = models.TextField(blank=True)
    price = MoneyField(help_text="What one purchase costs.")
    price_currency = models.CharField(max_length=3, default="USD")
    status = models.SmallIntegerField(choices=Status.choices, default=Status.ACTIVE)
    sort_index = models.IntegerField(default=0, help_text="Lower comes first in lists.")
    day_reset_time = models.TimeField(default=time(0, 0), help_text="Local wall time at which a trading day starts.")
    day_reset_timezone = models.CharField(
        max_length=64, default="UTC", help_text="An IANA zone, such as Europe/Prague."
    )
    # Maintained by the one save function: counting phases in a query costs twelve times as much in the big table.
    phases_count = models.PositiveSmallIntegerField(default=0, editable=False)
    # The group of the first evaluation phase: the seeds filter and print it on the program.
    demo_group = models.CharField(max_length=64, blank=True, editable=False)
    version = models.PositiveIntegerField(default=0, editable=False, help_text="Counts saves; a stale save is refused.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ("sort_index", "id")
        constraints = [
            # The upper bound also keeps NaN out, which PostgreSQL counts as greater than everything.
            models.CheckConstraint(condition=Q(price__gt=0, price__lte=MAX_PRICE), name="program_price_positive"),
            models.CheckConstraint(condition=~Q(name="") & ~Q(brand=""), name="program_has_name_and_brand"),
            models.CheckConstraint(condition=Q(price_currency__regex=r"^[A-Z]{3}$"), name="program_currency_iso"),
            models.CheckConstraint(condition=_price_in_its_currency(), name="program_price_in_its_currency"),
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2]), name="program_status_known"),
        ]
        indexes = [
            models.Index(fields=["status", "sort_index", "id"], name="program_status_sort"),
            models.Index(fields=["brand", "status", "sort_index", "id"], name="program_brand_status_sort"),
        ]

    def __str__(self) -> str:
        return self.name


class PhaseType(models.IntegerChoices):
    """Seed 001."""

    EVALUATION = 0, "evaluation"
    FUNDED = 1, "funded"


class Phase(models.Model):
    """One stage of a program ("step" in the Mng JSON). Defaults and bounds of the rules come from `programs.terms`."""

    program = models.ForeignKey(Program, on_delete=models.CASCADE, related_name="phases")
    phase_index = models.PositiveSmallIntegerField(default=1)
    phase_type = models.SmallIntegerField(choices=PhaseType.choices, default=PhaseType.EVALUATION)
    name = models.CharField(max_length=100)
    account_group = models.ForeignKey(AccountGroup, on_delete=models.PROTECT, related_name="phases")
    profit_split = models.DecimalField(
        max_digits=9,
        decimal_places=8,
        default=0,
        help_text="The trader's share of a funded phase's profit: 0.8 is 80 %.",
    )

    max_daily_loss_pct = pct_field("max_daily_loss_pct")
    daily_loss_base = choice_field("daily_loss_base")
    daily_loss_pct_of = choice_field("daily_loss_pct_of")
    daily_loss_action = choice_field("daily_loss_action")
    max_total_loss_pct = pct_field("max_total_loss_pct")
    total_loss_trail = choice_field("total_loss_trail")
    total_loss_pct_of = choice_field("total_loss_pct_of")
    total_loss_lock_pct = optional_pct_field("total_loss_lock_pct")
    total_loss_checked = choice_field("total_loss_checked")
    loss_tested_on = choice_field("loss_tested_on")
    breach_when = choice_field("breach_when")
    profit_target_pct = pct_field("profit_target_pct")
    profit_target_on = choice_field("profit_target_on")
    max_daily_profit_pct = pct_field("max_daily_profit_pct")
    max_daily_profit_of = choice_field("max_daily_profit_of")
    max_daily_profit_action = choice_field("max_daily_profit_action")
    duration_days = count_field("duration_days")
    min_trading_days = count_field("min_trading_days")
    max_trading_days = count_field("max_trading_days")
    trading_day_counts = choice_field("trading_day_counts")
    trading_day_min_profit_pct = pct_field("trading_day_min_profit_pct")
    max_positions = count_field("max_positions")
    max_open_lots = lots_field("max_open_lots")
    exposure_action = choice_field("exposure_action")
    consistency_pct = optional_pct_field("consistency_pct")
    inactivity_days = count_field("inactivity_days")
    weekend_holding_allowed = flag_field("weekend_holding_allowed")
    weekend_cutoff = time_field("weekend_cutoff")
    stop_loss_required = flag_field("stop_loss_required")
    early_warning_pct = pct_field("early_warning_pct")

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ("program", "phase_index")
        constraints = [
            models.UniqueConstraint(
                fields=["program", "phase_index"], name="phase_index_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.UniqueConstraint(
                fields=["program"], condition=Q(phase_type=PhaseType.FUNDED), name="phase_one_funded_per_program"
            ),
            models.CheckConstraint(condition=Q(phase_index__gte=1), name="phase_index_from_one"),
            models.CheckConstraint(condition=~Q(name=""), name="phase_has_name"),
            models.CheckConstraint(
                condition=Q(phase_type=PhaseType.EVALUATION, profit_split=0)
                | Q(phase_type=PhaseType.FUNDED, profit_split__gte=0, profit_split__lte=1),
                name="phase_split_of_funded_only",
            ),
            *rule_constraints(),
        ]

    def __str__(self) -> str:
        return f"{self.phase_index}. {self.name}"


class ProgramVersion(models.Model):
    """An immutable copy of a program's full terms. Purchases pin one; it is what a challenge is judged by."""

    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    terms: Any = models.JSONField(help_text="Canonical JSON: the program's settings and its phases.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the canonical JSON.")
    author = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("program", "-number")
        constraints = [models.UniqueConstraint(fields=["program", "number"], name="program_version_once")]

    def __str__(self) -> str:
        return f"version {self.number}"


class DeletionRecord(models.Model):
    """What a deletion removed, kept for good: the counters, and a full copy of the removed rows. Append-only."""

    program_id = models.BigIntegerField(db_index=True)
    program_name = models.CharField(max_length=128)
    counters: Any = models.JSONField(help_text="Number of removed rows by kind.")
    removed: Any = models.JSONField(help_text="The removed rows by kind.")
    actor = models.CharField(max_length=150)
    actor_user_id = models.BigIntegerField(null=True)
    reason = models.TextField(blank=True, default="")
    at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.program_name} ({self.program_id})"
