from datetime import datetime

from django.apps import AppConfig


class PurchasesConfig(AppConfig):
    name = "purchases"

    def ready(self) -> None:
        """Tell the layers below what to call: the sweeper our job, program deletion our part of it."""
        from programs.services import register_deletion  # noqa: PLC0415  (models are loaded by now)
        from propdesk.lib.processes.registry import register_job  # noqa: PLC0415
        from propdesk.lib.times import utc_now  # noqa: PLC0415
        from purchases.services import advance_due_purchases  # noqa: PLC0415
        from purchases.services.deletion import (  # noqa: PLC0415
            count_purchases,
            operations_in_flight,
            remove_purchases,
        )

        def advance_purchases(_: datetime) -> int:
            return advance_due_purchases(clock=utc_now)

        register_job("purchases.advance", 1, advance_purchases)
        register_deletion("purchases", remove_purchases, in_flight=operations_in_flight, count=count_purchases)
