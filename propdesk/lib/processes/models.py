"""Whether we are well: which processes are alive, and what was found to be wrong."""

from django.db import models
from django.db.models import Q


class ProcessHeartbeat(models.Model):
    """The last sign of life under one process name; several machines may share a name."""

    name = models.CharField(max_length=64, unique=True)
    pid = models.PositiveIntegerField()
    beat_at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S}"

    @property
    def jobs(self) -> dict[str, str]:
        """What is wrong with each of its jobs; empty text for one that is well. Not every process has jobs."""
        reports = {name: report for name, report in self.detail.items() if isinstance(report, dict)}
        return {name: report["last_error"] for name, report in reports.items() if "last_error" in report}

    @property
    def failing_jobs(self) -> dict[str, str]:
        return {name: error for name, error in self.jobs.items() if error}


class InvariantViolation(models.Model):
    """Something that must never be, found by the check that runs every five minutes. It stays after it is mended."""

    invariant = models.CharField(max_length=4, help_text="I1 to I12.")
    row_id = models.BigIntegerField(help_text="The row that is wrong, in the table that the detail names.")
    detail = models.TextField()
    found_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True, help_text="When it was no longer found.")

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["invariant", "row_id", "detail"], condition=Q(gone_at=None), name="violation_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.invariant} at row {self.row_id}"
