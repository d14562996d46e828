from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib import admin
from django.utils.html import format_html
from django.utils.timesince import timesince

from challenges.models import UnitWatch
from challenges.services.watching import confirm_unit
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    Colour,
    Panel,
    Table,
    ViewOnlyAdmin,
    display,
    label,
    link_column,
    link_to,
    number_column,
    register_panels,
)
from propdesk.lib.times import utc_now

# The monitor reads every few seconds; half a minute without an answer is worth a colour.
STALE = timedelta(seconds=30)


def _confirm(watch: UnitWatch, by: Actor, reason: str) -> str:
    confirm_unit(watch_id=watch.pk, by=by.label, now=utc_now())
    return "Confirmed: what the next readings show is enforced."


@admin.register(UnitWatch)
class UnitWatchAdmin(ViewOnlyAdmin[UnitWatch]):
    list_display = (
        number_column("unit"),
        link_column("connection"),
        "state",
        "accounts_watched",
        "accounts_judged",
        "last_read_at",
        "read_seconds",
        "why",
    )
    list_select_related = ("connection",)
    list_filter = ("connection",)
    search_fields = ("=unit", "connection__name")
    empty_text = "A unit is watched from the first challenge that runs on one of its accounts."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("connection", number_column("unit"), "state"),
                    ("accounts_watched", "accounts_judged"),
                    ("last_read_at", "read_seconds", "tried_at"),
                    ("last_error", "failing_since"),
                    "not_judged",
                )
            },
        ),
        ("Enforcement", {"fields": (("halted_at", "halt_reason", "confirmed_until"),)}),
    )
    buttons = (
        Button(
            name="confirm",
            text="Confirm the figures",
            explanation="Enforcement was halted because one reading would take many accounts out of trading. Look at "
            "the figures at the broker first. Once confirmed, what the next reading shows is enforced: accounts that "
            "break a rule fail or are paused, and those that reach their target pass.",
            about=lambda watch: watch.halt_reason,
            run=_confirm,
            offered=lambda watch: watch.halted_at is not None,
            variant="danger",
            icon="verified",
        ),
    )

    @display(description="state")
    def state(self, watch: UnitWatch) -> str:
        return state_label(watch, utc_now())

    @display(description="why it cannot be judged")
    def why(self, watch: UnitWatch) -> str:
        return why_not_judged(watch) or NOTHING


def why_not_judged(watch: UnitWatch) -> str:
    """Why the unit, or the first of its accounts that was left out, is not judged; "" when all are."""
    left_out = next((f"Account {login}: {reason}" for login, reason in watch.not_judged.items()), "")
    return watch.halt_reason or watch.last_error or left_out


def state_label(watch: UnitWatch, now: datetime) -> str:
    """Halted, failing, stale or judged, with the colour that it deserves."""
    if watch.halted_at:
        return label("enforcement halted", Colour.RED, watch.halt_reason)
    if watch.failing_since:
        return label(f"cannot judge since {watch.failing_since:%H:%M}", Colour.RED, watch.last_error)
    if watch.last_read_at is None:
        return label("not read yet")
    if now - watch.last_read_at > STALE:
        return label("stale", Colour.ORANGE) if watch.accounts_watched else label("nothing to watch")
    if watch.not_judged:
        return label("not all judged", Colour.ORANGE, why_not_judged(watch))
    return label("judged", Colour.GREEN)


def _panels(now: datetime) -> Sequence[Panel]:
    watches = UnitWatch.objects.select_related("connection")
    return [
        Table(
            title="Unit watches",
            note="What the monitor reads at the brokers. Without readable figures nobody fails and nobody passes.",
            columns=("Unit", "Broker", "State", "Accounts", "Last read", "Why it cannot be judged"),
            rows=[
                (
                    link_to(watch, str(watch.unit)),
                    link_to(watch.connection),
                    state_label(watch, now),
                    f"{watch.accounts_judged} of {watch.accounts_watched} judged",
                    f"{timesince(watch.last_read_at, now)} ago" if watch.last_read_at else NOTHING,
                    format_html('<span class="pd-wrap">{}</span>', why_not_judged(watch) or NOTHING),
                )
                for watch in watches
            ],
            empty="No challenge is running, so nothing is watched. Sales open challenges by themselves.",
        )
    ]


register_panels(_panels, permission="challenges.view_unitwatch", order=10)
