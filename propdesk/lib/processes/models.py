"""Which processes are alive."""

from django.db import models


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
