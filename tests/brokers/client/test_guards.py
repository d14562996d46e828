"""The rate limit and the breaker, by a clock of their own; then in front of a server that fails."""

import pytest

from brokers.client.errors import BrokerError, NoDataError, NotSentError, ThrottledError
from brokers.client.guards import MOST_FAILURES, OPEN_SECONDS, Breaker, Guard, RateLimit
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.client.transport import Transport
from tests.brokers.client.raw_server import http, raw_server


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_second_s_worth_of_calls_goes_out_at_once_and_the_next_waits():
    ticks = Ticks()
    limit = RateLimit(4, ticks=ticks)
    assert [limit.take(patience=1) for _ in range(6)] == [0, 0, 0, 0, 0.25, 0.5]
    ticks.now += 1.25
    assert limit.take(patience=1) == 0


def test_a_call_that_would_wait_too_long_is_refused_and_takes_no_turn():
    limit = RateLimit(1, ticks=Ticks())
    assert limit.take(patience=0.5) == 0
    for _ in range(3):
        with pytest.raises(ThrottledError, match="limit of 1 calls a second"):
            limit.take(patience=0.5)
    assert limit.take(patience=1) == 1


def test_a_limit_of_zero_is_none():
    limit = RateLimit(0, ticks=Ticks())
    assert {limit.take(patience=0) for _ in range(1000)} == {0.0}


def test_the_bucket_never_holds_more_than_a_second_s_worth():
    ticks = Ticks()
    limit = RateLimit(2, ticks=ticks)
    ticks.now += 3600
    assert [limit.take(patience=9) for _ in range(3)] == [0, 0, 0.5]


def failed(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.enter()
        breaker.unanswered("It answered 503.")


def test_many_calls_without_an_answer_open_the_breaker():
    breaker = Breaker(ticks=Ticks())
    failed(breaker, MOST_FAILURES - 1)
    breaker.enter()
    breaker.unanswered("It answered 503.")
    assert breaker.is_open
    with pytest.raises(NotSentError, match=f"not answered {MOST_FAILURES} times in a row: It answered 503."):
        breaker.enter()


def test_an_answer_starts_the_count_again():
    breaker = Breaker(ticks=Ticks())
    failed(breaker, MOST_FAILURES - 1)
    breaker.answered()
    failed(breaker, MOST_FAILURES - 1)
    assert not breaker.is_open


def test_one_probe_is_let_through_after_a_while_and_decides():
    ticks = Ticks()
    breaker = Breaker(ticks=ticks)
    failed(breaker, MOST_FAILURES)
    ticks.now += OPEN_SECONDS
    breaker.enter()
    with pytest.raises(NotSentError):
        breaker.enter()
    breaker.unanswered("It answered 503.")
    with pytest.raises(NotSentError):
        breaker.enter()
    ticks.now += OPEN_SECONDS
    breaker.enter()
    breaker.answered()
    breaker.enter()
    assert not breaker.is_open


def guarded(base_url: str, reports: list[str]) -> ThinkMarkets:
    """The breaker's clock stands still, so that however slow this machine is, it is never time for a probe."""
    guard = Guard(RateLimit(0), reports.append, Breaker(ticks=Ticks()))
    return ThinkMarkets(Transport(base_url=base_url, key_header="ApiKey", key="k", deadline=20, guard=guard))


def test_a_broker_that_does_not_answer_is_left_alone_and_that_is_told_once():
    reports: list[str] = []
    answers = [[http("", status="503 Service Unavailable")]] * MOST_FAILURES
    with raw_server(*answers) as server:
        client = guarded(server.base_url, reports)
        for _ in range(MOST_FAILURES):
            with pytest.raises(NoDataError):
                client.ping()
        for _ in range(3):
            with pytest.raises(NotSentError, match="has not answered"):
                client.ping()
    assert len(server.requests) == MOST_FAILURES
    assert reports == ["It answered 503."]


@pytest.mark.parametrize(
    "answer",
    [http("", status="400 Bad Request"), http("", status="429 Slow Down"), http("<html>"), http("{}", length=9)],
    ids=["refusal", "throttling", "HTML", "broken off"],
)  # fmt: skip
def test_a_broker_that_answers_badly_is_there_all_the_same(answer: bytes):
    reports: list[str] = []
    with raw_server(*[[answer]] * (MOST_FAILURES + 2)) as server:
        client = guarded(server.base_url, reports)
        for _ in range(MOST_FAILURES + 2):
            with pytest.raises(BrokerError):
                client.ping()
    assert len(server.requests) == MOST_FAILURES + 2
    assert reports == []


def test_a_connection_that_cannot_be_made_counts_as_no_answer():
    reports: list[str] = []
    client = guarded("http://127.0.0.1:1", reports)
    for _ in range(MOST_FAILURES):
        with pytest.raises(NotSentError, match="cannot be reached"):
            client.ping()
    with pytest.raises(NotSentError, match="has not answered"):
        client.ping()
    assert reports == ["The broker cannot be reached."]
