"""The journey with Redis stopped before the buy: the rows are the queue, the sweeper finishes what nobody nudges."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from propdesk.local.launch import free_port
from propdesk.local.servers import Valkey
from tests.flows.journey import active_challenge, buy, card, status
from tests.flows.stack import running, wait_until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A Redis-protocol server of the test's own, with its address: the product takes it for somebody else's."""
    server, port = Valkey(tmp_path, {"VALKEY_PASSWORD": "secret"}, durable=False), free_port()
    server.prepare(lambda _: None)
    process = subprocess.Popen(server.command(port), stdout=subprocess.DEVNULL)
    wait_until(lambda: server.answers(port), what="Redis answers")
    yield process, server.url(port)
    process.kill()
    process.wait()


def test_a_purchase_completes_and_a_breach_is_enforced_though_redis_was_stopped_before(
    tmp_path: Path, redis: tuple[subprocess.Popen[bytes], str]
) -> None:
    process, url = redis
    with running(tmp_path / "data", PROPDESK_DEMO_TRADERS="0", REDIS_URL=url) as stack:
        wait_until(lambda: status(stack) == "ready", what="everything is ready")
        process.kill()
        process.wait()
        customer = stack.demo["customers"][0]

        begun = time.monotonic()
        purchase = buy(stack, customer, program_id=1, key="no-redis")
        assert time.monotonic() - begun < 30, "the buy waited for Redis"

        challenge = active_challenge(stack, customer, purchase["id"])
        stack.simulator("POST", f"/sim/accounts/{challenge['account_login']}", {"equity": 94999.99})
        wait_until(
            lambda: card(stack, customer, challenge["id"])["challenge"]["status"] == 3, what="the challenge is failed"
        )
        wait_until(
            lambda: not (a := stack.account(challenge["account_login"]))["enabled"] and not a["positions"],
            what="the account is disabled and flat",
        )
        wait_until(lambda: status(stack) == "degraded", what="readiness is degraded")
