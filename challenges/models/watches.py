from datetime import datetime

from django.db import models
from django.db.models import Q

from brokers.models import BrokerConnection


class UnitWatchQuerySet(models.QuerySet["UnitWatch"]):
    def due(self, now: datetime, read_before: datetime) -> "UnitWatchQuerySet":
        """Units that nobody is reading now and that were not read since `read_before`."""
        free = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
        waiting = Q(tried_at__isnull=True) | Q(tried_at__lte=read_before)
        return self.filter(free & waiting, connection__is_enabled=True)


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
        help_text="Accounts that could not be judged at the last answer, and why (the first 50).",
    )
    halted_at = models.DateTimeField(
        null=True, help_text="Enforcement is halted: too many accounts broke a rule at one reading."
    )
    halt_reason = models.TextField(blank=True)
    confirmed_until = models.DateTimeField(
        null=True, help_text="Staff confirmed the figures: until then many breaches at once are enforced."
    )

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
