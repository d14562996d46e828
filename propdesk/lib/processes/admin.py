"""The front page shows which of our processes are alive."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from propdesk.lib.admin import Colour, Panel, Table, label, register_panels
from propdesk.lib.processes.models import ProcessHeartbeat

FRESH = timedelta(seconds=15)


def _panels(now: datetime) -> Sequence[Panel]:
    return [
        Table(
            title="Processes",
            note="Without the sweeper nothing moves on by itself.",
            columns=("Process", "State", "Last sign of life", "Process id"),
            rows=[
                (
                    beat.name,
                    label("alive", Colour.GREEN) if now - beat.beat_at <= FRESH else label("silent", Colour.RED),
                    f"{beat.beat_at:%Y-%m-%d %H:%M:%S} UTC",
                    str(beat.pid),
                )
                for beat in ProcessHeartbeat.objects.all()
            ],
            empty="No process has reported yet. Start them all with: make run",
        )
    ]


register_panels(_panels, permission="processes.view_processheartbeat", order=20)
