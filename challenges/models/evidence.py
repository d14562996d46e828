from django.db import models
from django.db.models import Q

from challenges.models.enrollments import Enrollment
from propdesk.lib.money import MoneyField


class DailySnapshot(models.Model):
    """The start of a trading day, and how the day went. `late`: its start values are older than the monitor allows."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="daily_snapshots")
    trading_day = models.DateField()
    boundary_at = models.DateTimeField(help_text="When the trading day began.")
    start_balance = MoneyField()
    start_equity = MoneyField("daily start equity")
    taken_at = models.DateTimeField(help_text="When the state was read that the start values are from.")
    is_late = models.BooleanField("late", default=False)
    low_equity = MoneyField(null=True, help_text="Lowest equity seen; filled when the day is over.")
    high_equity = MoneyField(null=True, help_text="Highest equity seen; filled when the day is over.")
    close_balance = MoneyField(null=True)
    close_equity = MoneyField(null=True)

    class Meta:
        ordering = ("enrollment", "trading_day")
        constraints = [models.UniqueConstraint(fields=["enrollment", "trading_day"], name="daily_snapshot_once")]

    def __str__(self) -> str:
        return f"{self.trading_day} of enrollment {self.enrollment_id}"


class MetricSnapshot(models.Model):
    """A kept observation: a point of the time series. The table is partitioned by `at`, so it has no foreign key."""

    enrollment_id = models.BigIntegerField()
    at = models.DateTimeField()
    balance = MoneyField()
    equity = MoneyField()
    is_flat = models.BooleanField("flat", null=True, help_text="No position was open; empty when not known.")
    opened = models.BooleanField(default=False, help_text="A position was opened since the observation before.")
    daily_loss_level = MoneyField(null=True)
    total_loss_level = MoneyField(null=True)
    profit_target_level = MoneyField(null=True)
    profit_pct = models.DecimalField(max_digits=24, decimal_places=8)
    daily_loss_pct = models.DecimalField(max_digits=24, decimal_places=8)
    total_loss_pct = models.DecimalField(max_digits=24, decimal_places=8)
    trading_days = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("at",)
        constraints = [models.UniqueConstraint(fields=["enrollment_id", "at"], name="metric_snapshot_once")]

    def __str__(self) -> str:
        return f"enrollment {self.enrollment_id} at {self.at:%Y-%m-%d %H:%M:%S}"


class Breach(models.Model):
    """A broken rule, with the numbers and the observations around it. It is written once and never cleared."""

    class Action(models.TextChoices):
        FAIL = "fail", "fails"
        PAUSE = "pause", "pauses"
        FLAG = "flag", "flags"

    enrollment = models.ForeignKey(Enrollment, on_delete=models.PROTECT, related_name="breaches")
    rule = models.CharField(max_length=40)
    action = models.CharField(max_length=10, choices=Action.choices)
    trading_day = models.DateField()
    level = MoneyField(null=True)
    observed = MoneyField(null=True)
    balance = MoneyField()
    equity = MoneyField()
    at = models.DateTimeField(help_text="Time of the observation that broke the rule.")
    explanation = models.TextField(help_text="The formula with the numbers put in.")
    previous_at = models.DateTimeField(null=True, help_text="Time of the observation before: the sampling gap.")
    previous_balance = MoneyField(null=True)
    previous_equity = MoneyField(null=True)
    terms_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "breaches"
        constraints = [
            models.UniqueConstraint(fields=["enrollment", "rule", "trading_day"], name="breach_once_per_day"),
            models.CheckConstraint(condition=~Q(explanation="") & ~Q(terms_digest=""), name="breach_has_evidence"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} of enrollment {self.enrollment_id} on {self.trading_day}"
