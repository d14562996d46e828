"""Whatever is asked, the answer is one that the OpenAPI document declares.

`make test` asks a little, `make fuzz` a lot (FUZZ_EXAMPLES for each operation) in every session.
"""

import os
from typing import Any

import pytest

from propdesk.lib.access.sessions import Session
from propdesk.lib.times import utc_now
from tests.fuzz.asking import ALL_PHASES, QUICK_PHASES, ask_everything
from tests.fuzz.firm import make_firm

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
SEED = int(os.environ.get("FUZZ_SEED", "20261121"))
# The staff sessions may do the same; asking a little asks one of them.
SESSIONS = list(Session) if EXAMPLES else [Session.ADMIN, Session.CUSTOMER]


@pytest.fixture(autouse=True)
def no_limit(settings: Any) -> None:
    settings.RATE_LIMIT_PER_SECOND = 0


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("session", [*SESSIONS, None], ids=lambda session: session.group if session else "nobody")
def test_every_answer_is_documented(live_server: Any, session: Session | None) -> None:
    secrets = make_firm(now=utc_now())

    held, said = ask_everything(
        url=live_server.url,
        secret=secrets[session] if session else "",
        phases=ALL_PHASES if EXAMPLES else QUICK_PHASES,
        examples=EXAMPLES or 3,
        seed=SEED,
    )

    assert held, said[-20_000:]
