"""Fixtures for every test. The servers were started earlier, by `tests.services`."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, sync_playwright
from pytest_django.plugin import DjangoDbBlocker

from tests.database import remember_pristine

pytest_plugins = ["tests.sharing", "tests.simulator", "tests.shop"]

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock():
        remember_pristine()


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Half a second of hashing for every user who signs in tests nothing of ours."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium of the system's own; tests that take it carry `@pytest.mark.browser`.

    One for each module: while it lives, Playwright's event loop runs in this thread, and no test can run its own.
    """
    executable = shutil.which("chromium") or shutil.which("/usr/bin/chromium")
    if executable is None:
        reason = "no Chromium on this machine (Debian: apt-get install chromium)"
        if os.environ.get("PROPDESK_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{reason}, and PROPDESK_REQUIRE_BROWSER=1 asks for it")
        pytest.skip(reason)
    # Playwright keeps a loop in this thread, for which Django would take every later query for async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()
