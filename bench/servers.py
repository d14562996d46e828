"""A run's own PostgreSQL in a temporary directory, of which nothing stays."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from propdesk.local.environment import add_secrets, lease_servers


@contextmanager
def own_servers() -> Iterator[Path]:
    """Settings, secrets and private servers for this run; yields its directory."""
    folder = tempfile.mkdtemp(prefix="propdesk-bench-")
    os.environ |= {"PROPDESK_DATA": folder, "DJANGO_SETTINGS_MODULE": "bench.settings", "PYTHONWARNINGS": "ignore"}
    os.environ.pop("DATABASE_URL", None)
    add_secrets(os.environ, create=True)
    leases = lease_servers(os.environ, durable=False)
    try:
        yield Path(folder)
    finally:
        for lease in leases:
            lease.leave()
        shutil.rmtree(folder, ignore_errors=True)
