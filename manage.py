#!/usr/bin/env python
"""Management commands. Locally they find or start the private servers of PROPDESK_DATA; see propdesk/local."""

import os
import sys

from propdesk.local.environment import prepare
from propdesk.local.errors import StartError


def main() -> None:
    try:
        prepare(sys.argv[1:])
    except StartError as error:
        sys.exit(f"error: {error}")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "propdesk.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415  (settings are read on import)

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
