from typing import Any

from django.core.management.base import BaseCommand

from propdesk.lib.fields import rotate_keys


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret again, with the first key of FIELD_KEYS. To rotate: put a new key in front, "
        "restart everything, run this, then drop the old key."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        for name, count in rotate_keys().items():
            self.stdout.write(f"{name}: {count} encrypted with the first key")
