"""Early pytest plugin (`-p tests.services`): real servers must run before pytest-django reads the settings.

They live in a temporary directory, without fsync, unless DATABASE_URL or REDIS_URL name other ones.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from propdesk.local.environment import add_secrets, lease_servers
from propdesk.local.errors import StartError


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """A wrapper, because wrappers run before every plain hook, pytest-django's among them."""
    folder = Path(tempfile.mkdtemp(prefix="propdesk-tests-"))
    # At exit and not in a pytest hook: a conftest that cannot be imported ends pytest without any.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["PROPDESK_DATA"] = str(folder)
    try:
        add_secrets(os.environ, create=True)
        for lease in lease_servers(os.environ, durable=False):
            atexit.register(lease.leave)
    except StartError as error:
        pytest.exit(f"the test servers do not start: {error}", returncode=3)
    return (yield)
