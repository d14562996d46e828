from datetime import datetime

from django.apps import AppConfig
from django.conf import settings

SECONDS_A_DAY = 24 * 3600
INVARIANTS_SECONDS = 300


class ChallengesConfig(AppConfig):
    name = "challenges"

    def ready(self) -> None:
        """Tell the layers below what to call: the sweeper our jobs, program deletion our part of it, and so on."""
        from brokers.services import register_objection  # noqa: PLC0415  (models are loaded by now)
        from challenges.api.commands import COMMANDS  # noqa: PLC0415
        from challenges.services.deletion import count_challenges, remove_challenges  # noqa: PLC0415
        from challenges.services.enabling import objection_of_challenges  # noqa: PLC0415
        from challenges.services.final_figures import record_final_figures  # noqa: PLC0415
        from challenges.services.invariants import watch_invariants  # noqa: PLC0415
        from challenges.services.opening import advance_enrollments, open_due_challenges  # noqa: PLC0415
        from challenges.services.partitions import make_partitions  # noqa: PLC0415
        from challenges.services.watching import watch_due_units  # noqa: PLC0415
        from programs.services.deletion import register_deletion  # noqa: PLC0415
        from propdesk.lib.mng.commands import register_command  # noqa: PLC0415
        from propdesk.lib.processes.registry import register_job  # noqa: PLC0415
        from propdesk.lib.times import utc_now  # noqa: PLC0415

        def watch(_: datetime) -> int:
            return watch_due_units(clock=utc_now)

        register_job("challenges.open", 1, lambda now: open_due_challenges(now=now))
        register_job("challenges.advance", 1, lambda now: advance_enrollments(now=now))
        register_job("challenges.watch", settings.MONITOR_SECONDS, watch)
        register_job("challenges.record_final_figures", 2, lambda now: record_final_figures(now=now))
        register_job("challenges.invariants", INVARIANTS_SECONDS, lambda now: watch_invariants(now=now))
        register_job("challenges.make_partitions", SECONDS_A_DAY, lambda now: make_partitions(now=now))
        register_deletion("challenges", remove_challenges, count=count_challenges)
        register_objection("challenges", objection_of_challenges)
        for command in COMMANDS:
            register_command(command)
