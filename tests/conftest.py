"""Fixtures for every test. The servers were started earlier, by `tests.services`."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

pytest_plugins = ["tests.simulator", "tests.shop"]

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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
