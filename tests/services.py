"""Early pytest plugin (`-p tests.services`): real servers must run before pytest-django reads the settings.

They live in a temporary directory, without fsync, unless DATABASE_URL or REDIS_URL name other ones. With `-n` every
worker process has servers of its own, so that tests look at locks, connections and queues that are theirs alone; the
process that hands out the tests runs none and needs no server.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from propdesk.local.environment import NOWHERE, add_secrets, lease_servers
from propdesk.local.errors import StartError


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """A wrapper, because wrappers run before every plain hook, pytest-django's among them."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        # What the process that started us has set; it removes the folder when all of us have ended.
        folder = Path(os.environ["PROPDESK_DATA"], worker)
        folder.mkdir()
        for name, value in NOWHERE.items():
            if os.environ.get(name) == value:
                del os.environ[name]
    else:
        folder = Path(tempfile.mkdtemp(prefix="propdesk-tests-"))
        # At exit and not in a pytest hook: a conftest that cannot be imported ends pytest without any.
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PROPDESK_DATA"] = str(folder)
    hands_out = bool(getattr(early_config.known_args_namespace, "numprocesses", None))
    try:
        add_secrets(os.environ, create=True)
        if hands_out and not worker:
            for name, value in NOWHERE.items():
                os.environ.setdefault(name, value)
        else:
            for lease in lease_servers(os.environ, durable=False):
                atexit.register(lease.leave)
    except StartError as error:
        pytest.exit(f"the test servers do not start: {error}", returncode=3)
    return (yield)
