from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "propdesk.lib.access"
    label = "access"

    def ready(self) -> None:
        from propdesk.lib.access import schema  # noqa: F401, PLC0415  (importing it is how drf-spectacular learns of it)
