"""The one way a status changes: legal edges only, once, with an append-only event row in the same transaction."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar, Protocol, TypeVar

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


Row = TypeVar("Row", bound=HasTransitions)


def record(row: HasTransitions, *, source: int | None, by: Actor, reason: str, now: datetime) -> None:
    """Write the event row for a status that the row has just got (creation has no source)."""
    _event(row, source, by=by, reason=reason, now=now).save(force_insert=True)
    crash_around_commit(_place(row))


def record_all(
    rows: Sequence[Row], *, source: int | None, by: Actor, reason: Callable[[Row], str], now: datetime
) -> None:
    """Write the event rows of many rows of one model in one statement."""
    if not rows:
        return
    events = [_event(row, source, by=by, reason=reason(row), now=now) for row in rows]
    rows[0].EVENTS._default_manager.bulk_create(events)
    for row in rows:
        crash_around_commit(_place(row))


def _event(row: HasTransitions, source: int | None, *, by: Actor, reason: str, now: datetime) -> Event:
    return row.EVENTS(
        subject_id=row.pk,
        from_status=source,
        to_status=row.status,
        actor=by.label,
        actor_user_id=by.user_id,
        reason=reason,
        at=now,
    )


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


def transition_all(
    rows: Sequence[Row], *, to: IntEnum | int, by: Actor, now: datetime, reason: Callable[[Row], str], **changes: Any
) -> list[Row]:
    """Move many rows of one model in a few statements, and return those that were moved.

    Left out is a row whose edge is not legal, and one that another transaction has moved meanwhile.
    """
    target = int(to)
    legal = [row for row in rows if target in row.EDGES.get(int(row.status), frozenset())]
    if not legal:
        return []
    model: Any = type(legal[0])
    values = {"status": target, "updated_at": now, **changes}
    moved = []
    with transaction.atomic():
        # Locked in one order by everybody, so that nobody waits for each other.
        locked = model._default_manager.select_for_update().filter(pk__in=[row.pk for row in legal]).order_by("pk")
        standing = dict(locked.values_list("pk", "status"))
        for source in sorted(set(standing.values())):
            group = [row for row in legal if row.status == source == standing.get(row.pk)]
            model._default_manager.filter(pk__in=[row.pk for row in group]).update(**values)
            for row in group:
                for name, value in values.items():
                    setattr(row, name, value)
            record_all(group, source=source, by=by, reason=reason, now=now)
            moved += group
    return moved
