from dataclasses import fields
from typing import Self

from django.db import models

from challenges.models.enrollments import Enrollment
from challenges.rules import Levels, Progress, RunningState
from propdesk.lib.money import MoneyField

STATE_FIELDS = tuple(field.name for field in fields(RunningState))
LEVEL_FIELDS = tuple(field.name for field in fields(Levels))


class EnrollmentState(models.Model):
    """The running state of one enrollment: `challenges.rules.RunningState`, one column per field, and what lists show.

    It is its own narrow table, without an index on any column that changes and with room in each page (fillfactor 50),
    because the monitor rewrites these rows every few seconds. The row stays when the enrollment is over: it holds the
    last levels and figures.
    """

    enrollment = models.OneToOneField(
        Enrollment, on_delete=models.PROTECT, primary_key=True, related_name="running_state"
    )

    initial_balance = MoneyField()
    started_at = models.DateTimeField()
    trading_day = models.DateField()
    day_start_balance = MoneyField()
    day_start_equity = MoneyField()
    day_peak_equity = MoneyField()
    day_low_equity = MoneyField()
    high_equity = MoneyField()
    high_balance = MoneyField()
    high_higher = MoneyField()
    high_eod_balance = MoneyField()
    best_day_profit = MoneyField()
    last_at = models.DateTimeField(null=True)
    last_balance = MoneyField()
    last_equity = MoneyField()
    last_flat = models.BooleanField(null=True)
    last_active_at = models.DateTimeField()
    trading_days = models.PositiveIntegerField()
    last_counted_day = models.DateField(null=True)
    paused_on = models.DateField(null=True)
    verdict = models.CharField(max_length=6)
    found = models.TextField(blank=True)

    daily_loss = MoneyField("daily loss level", null=True)
    total_loss = MoneyField("total loss level", null=True)
    profit_target = MoneyField("profit target level", null=True)
    daily_profit = MoneyField("daily profit level", null=True)

    profit_pct = models.DecimalField(max_digits=24, decimal_places=8)
    profit_target_progress_pct = models.DecimalField(max_digits=24, decimal_places=8)
    daily_loss_pct = models.DecimalField(max_digits=24, decimal_places=8)
    total_loss_pct = models.DecimalField(max_digits=24, decimal_places=8)
    why_not_passed = models.TextField(blank=True, help_text="The target is met, but this is missing.")
    cannot_judge = models.TextField(blank=True, help_text="Rules that are on and that the broker gives no data for.")
    warning = models.TextField(blank=True, help_text="The day's early warning: most of a loss allowance is used.")

    last_margin = MoneyField(null=True, help_text="Margin in use at the last observation; it shows new positions.")
    metric_at = models.DateTimeField(null=True, help_text="Time of the last observation kept as a metric snapshot.")
    keep_next = models.BooleanField(default=False, help_text="The next observation is kept: it follows a breach.")

    class Meta:
        verbose_name = "running state"

    def __str__(self) -> str:
        return f"state of enrollment {self.enrollment_id}"

    @classmethod
    def opening(cls, enrollment: Enrollment, state: RunningState, levels: Levels, progress: Progress) -> Self:
        """The unsaved row of an enrollment that starts."""
        row = cls(enrollment=enrollment)
        row.take(state)
        row.show(levels, progress)
        return row

    def running_state(self) -> RunningState:
        """The state as the rules carry it."""
        return RunningState(**{name: getattr(self, name) for name in STATE_FIELDS})

    def take(self, state: RunningState) -> None:
        """Put the rules' state into the columns, without saving."""
        for name in STATE_FIELDS:
            setattr(self, name, getattr(state, name))

    def show(self, levels: Levels, progress: Progress) -> None:
        """Put levels and progress into the columns, without saving."""
        for name in LEVEL_FIELDS:
            setattr(self, name, getattr(levels, name))
        for name in ("profit_pct", "profit_target_progress_pct", "daily_loss_pct", "total_loss_pct"):
            setattr(self, name, getattr(progress, name))
