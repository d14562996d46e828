"""The one way a status changes: legal edges only, once, with an append-only event row in the same transaction."""

from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, Protocol

from django.db import models, transaction

from propdesk.lib.actors import Actor
from propdesk.lib.crash import crash_around_commit


class IllegalTransitionError(Exception):
    """The status may not change that way; nothing was written."""

    def __init__(self, row: models.Model, source: int, target: int) -> None:
        labels = dict(row._meta.get_field("status").flatchoices)  # type: ignore[union-attr]
        self.source, self.target = source, target
        now, wanted = labels.get(source, source), labels.get(target, target)
        super().__init__(f"{row._meta.verbose_name} {row.pk} is {now} and cannot become {wanted}.")


class Event(models.Model):
    """A status change that happened. Plain ids instead of foreign keys: events outlive the rows they tell about."""

    subject_id = models.BigIntegerField(db_index=True)
    from_status = models.SmallIntegerField(null=True)
    to_status = models.SmallIntegerField()
    actor = models.CharField(max_length=150)
    actor_user_id = models.BigIntegerField(null=True)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        abstract = True
        ordering = ("at", "id")

    def __str__(self) -> str:
        return f"{self.subject_id}: {self.from_status} to {self.to_status} by {self.actor}"


class HasTransitions(Protocol):
    """A model with `status`, its legal edges and its event model."""

    pk: Any
    status: int
    EDGES: ClassVar[dict[int, frozenset[int]]]
    EVENTS: ClassVar[type[Event]]


def record(row: HasTransitions, *, source: int | None, by: Actor, reason: str, now: datetime) -> None:
    """Write the event row for a status that the row has just got (creation has no source)."""
    row.EVENTS._default_manager.create(
        subject_id=row.pk,
        from_status=source,
        to_status=row.status,
        actor=by.label,
        actor_user_id=by.user_id,
        reason=reason,
        at=now,
    )
    crash_around_commit(_place(row))


def _place(row: HasTransitions) -> str:
    """Such as "purchase paid" or "brokeroperation create calling"."""
    model: Any = row
    status = dict(model._meta.get_field("status").flatchoices)[int(row.status)]
    kind = model.kind if type(row).__name__ == "BrokerOperation" else ""
    return " ".join(part for part in (model._meta.model_name, kind, status) if part)


def transition(
    row: HasTransitions, *, to: IntEnum | int, by: Actor, now: datetime, reason: str = "", **changes: Any
) -> bool:
    """Move `row` to status `to` and set `changes` with it, by a conditional update (mechanism M1).

    Returns False, changing nothing, when the row is there already. Raises `IllegalTransitionError` when the edge is not
    in `EDGES`, or when another transaction was quicker.
    """
    source, target = int(row.status), int(to)
    if source == target:
        return False
    if target not in row.EDGES.get(source, frozenset()):
        raise IllegalTransitionError(row, source, target)  # type: ignore[arg-type]
    model: Any = type(row)
    with transaction.atomic():
        values = {"status": target, "updated_at": now, **changes}
        if not model._default_manager.filter(pk=row.pk, status=source).update(**values):
            raise IllegalTransitionError(row, source, target)  # type: ignore[arg-type]
        for name, value in values.items():
            setattr(row, name, value)
        record(row, source=source, by=by, reason=reason, now=now)
    return True
