"""Pytest plugin: how worker processes (`-n 2`) share the tests.

A file stays together, because its tests share servers and browsers. What starts whole stacks of processes is one group:
never two of those at a time, and first, because the longest must not begin last.

The scheduler is xdist's own; its `xdist_group` marks have no effect under pytest 9.2, which keeps node ids elsewhere.
"""

import os
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

STACKS = ("tests/chaos/test_chaos.py", "tests/flows/", "tests/propdesk/test_run.py")
LONG = (
    "tests/chaos/", "tests/brokers/test_order_recovery.py", "tests/brokers/test_mechanisms.py",
    "tests/programs/test_admin_browser.py", "tests/propdesk/mng/", "tests/propdesk/test_servers.py", "tests/fuzz/",
)  # fmt: skip


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out one group after the other, in the order of their first tests."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return "stacks" if path.startswith(STACKS) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    config.option.loadscopereorder = False
    return Sharing(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest-django has made its order."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Smaller begins earlier."""
    path = item.nodeid
    return 0 if path.startswith(STACKS) else 1 if path.startswith(LONG) else 2
