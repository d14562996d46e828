from django.apps import AppConfig


class ProgramsConfig(AppConfig):
    name = "programs"

    def ready(self) -> None:
        from programs.api.commands import COMMANDS  # noqa: PLC0415  (models are loaded by now, not before)
        from propdesk.lib.mng.commands import register_command  # noqa: PLC0415

        for command in COMMANDS:
            register_command(command)
