from datetime import datetime

from django.db import models
from django.db.models import Q

from brokers.models import BrokerConnection


class UnitWatchQuerySet(models.QuerySet["UnitWatch"]):
    def free(self, now: datetime, tried_before: datetime) -> "UnitWatchQuerySet":
        """Units that nobody is reading now and that were last asked for at `tried_before` or earlier.

        On the watch's own columns only: a conditional update must be judged on the row as it is under its lock.
        """
        unleased = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
        return self.filter(unleased, Q(tried_at__isnull=True) | Q(tried_at__lte=tried_before))


class UnitWatch(models.Model):
    """How the monitor stands with one broker unit. It tells staff since when, and why, a unit cannot be judged."""

    connection = models.ForeignKey(BrokerConnection, on_delete=models.PROTECT, related_name="watches")
    unit = models.BigIntegerField(help_text="The broker's unit (its trading group id).")
    leased_until = models.DateTimeField(null=True, editable=False)
    tried_at = models.DateTimeField(null=True, help_text="When the unit was last asked for.")
    last_read_at = models.DateTimeField(null=True, help_text="When the last readable answer was asked for.")
    read_seconds = models.FloatField(null=True, help_text="How long that answer took.")
    accounts_watched = models.PositiveIntegerField(default=0, help_text="Accounts with an open enrollment.")
    accounts_judged = models.PositiveIntegerField(default=0, help_text="Of these, judged at the last answer.")
    last_error = models.TextField(blank=True, help_text="Why the unit cannot be judged now; empty when it can.")
    failing_since = models.DateTimeField(null=True)
    not_judged = models.JSONField(
        default=dict,
        blank=True,
        help_text="Accounts not judged at the last answer, and why (the first 50).",
    )
    halted_at = models.DateTimeField(
        null=True, help_text="Enforcement is halted: one reading would take too many accounts out of trading."
    )
    halt_reason = models.TextField(blank=True)
    confirmed_until = models.DateTimeField(
        null=True, help_text="Staff confirmed the figures: until then many verdicts at once are enforced."
    )
    confirmed_by = models.CharField(max_length=150, blank=True)

    objects = UnitWatchQuerySet.as_manager()

    class Meta:
        ordering = ("connection", "unit")
        verbose_name_plural = "unit watches"
        constraints = [
            models.UniqueConstraint(fields=["connection", "unit"], name="unit_watch_once"),
            models.CheckConstraint(
                condition=Q(halted_at__isnull=True) | ~Q(halt_reason=""), name="unit_watch_halt_has_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"unit {self.unit} of {self.connection}"
