"""Resetting a trader's password: shown once, kept nowhere, and clear words where there is none to show."""

import logging
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from brokers.admin.account_buttons import BUTTONS
from brokers.models import BrokerConnection, BrokerOperation, BrokerOperationEvent, TradingAccount
from propdesk.lib.actors import Actor
from propdesk.lib.admin import Page
from propdesk.lib.mng.errors import ConflictError
from tests.brokers.driving import fault
from tests.brokers.pages import button_of, page_of, press, read, token_of, told
from tests.simulator import Simulator

Status = BrokerOperation.Status


def resets(simulator: Simulator) -> int:
    """How many resets the broker has heard of."""
    return sum(call["endpoint"] == "reset-password" for call in simulator._call("GET", "/sim/oracle")["calls"])


def tables_with(text: str) -> list[str]:
    """The tables of the database in which the text occurs."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE strpos(t::text, %s) > 0', [text])
            found += [table] if cursor.fetchone() != (0,) else []
    return found


def test_the_new_password_is_shown_once_and_kept_nowhere(
    boss: Client, simulator: Simulator, payer: TradingAccount, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = button_of(payer, "reset_password")
    assert "It is shown once, on the next page, and kept nowhere" in read(boss, url)
    before = resets(simulator)
    response = press(boss, url, "Forgotten by the trader.")
    password = response.context["password"]
    assert len(password) == 24
    assert response.status_code == 200
    content = response.content.decode()
    assert len(re.findall(r'id="password"[^>]*>([^<]+)<', content)) == 1
    assert "The broker has confirmed it. Copy it now" in content
    assert "no-store" in response["Cache-Control"]
    assert resets(simulator) == before + 1

    operation = BrokerOperation.objects.get()
    assert (operation.kind, operation.status) == ("reset_password", Status.DONE)
    event = BrokerOperationEvent.objects.filter(subject_id=operation.pk).earliest("id")
    assert (event.actor, event.reason) == ("boss", "Forgotten by the trader.")
    assert LogEntry.objects.get().get_change_message() == "Reset password. Forgotten by the trader."

    assert tables_with(password) == []
    assert password not in str([session.get_decoded() for session in Session.objects.all()])
    assert password not in str(boss.cookies)
    assert password not in caplog.text
    assert told(response) == []
    assert password not in boss.get(page_of(payer)).content.decode()
    assert password not in boss.get(url).content.decode()


def test_a_double_click_resets_once_and_says_where_the_password_was_shown(
    boss: Client, simulator: Simulator, payer: TradingAccount
) -> None:
    url = button_of(payer, "reset_password")
    token, before = token_of(boss, url), resets(simulator)
    press(boss, url, token=token)
    second = press(boss, url, token=token)
    said = (
        "This reset was made already: its password was shown in the answer to the first press, and is kept nowhere. "
        "If nobody has it, reset the password once more."
    )
    assert told(second) == [said]
    assert BrokerOperation.objects.count() == 1
    assert resets(simulator) == before + 1
    assert press(boss, url).context["password"]


def test_a_reset_that_the_broker_refuses_leaves_the_old_password(boss: Client, payer: TradingAccount) -> None:
    payer.login += 100_000
    payer.save()
    (said,) = told(press(boss, button_of(payer, "reset_password")))
    assert said.startswith("The broker refused, and the password is as it was. Its words: ")
    operation = BrokerOperation.objects.get()
    assert operation.status == Status.REFUSED
    page = read(boss, page_of(operation))
    assert "It was refused" in page
    assert "The old password still holds. Reset it again on the account's page ." in page


def test_a_reset_in_doubt_says_that_nobody_knows_and_the_next_one_waits(
    boss: Client, simulator: Simulator, payer: TradingAccount
) -> None:
    simulator.faults(fault("reset-password", "drop_after"))
    (said,) = told(press(boss, button_of(payer, "reset_password")))
    operation = BrokerOperation.objects.get()
    assert operation.status == Status.IN_DOUBT
    pattern = (
        r"The broker gave no clear answer: the old password may hold, or a new one that nobody knows\. Reset it again "
        rf"in about (\d+) seconds, when operation {operation.pk} is over\."
    )
    found = re.fullmatch(pattern, said)
    assert found is not None
    # Deadline 30 and quarantine 2, of which some may have passed.
    assert 1 <= int(found[1]) <= 32
    url = button_of(payer, "reset_password")
    assert url not in boss.get(page_of(payer)).content.decode()
    blind = boss.post(url, {"reason": "Again."}, follow=True)
    assert told(blind) == [
        f"Reset password: An earlier reset, operation {operation.pk}, is not over. Try again in about a minute."
    ]
    assert BrokerOperation.objects.count() == 1


def test_two_presses_at_the_same_moment_send_one_password(simulator: Simulator, payer: TradingAccount) -> None:
    # The second one is past the check of what is offered while the first is in doubt.
    simulator.faults(fault("reset-password", "drop_after"))
    reset = next(button for button in BUTTONS if button.name == "reset_password")
    with pytest.raises(ConflictError, match="The broker gave no clear answer"):
        reset.press(payer, Actor("boss"), "Forgotten.", "token-1")
    with pytest.raises(ConflictError, match="An earlier reset is not over"):
        reset.press(payer, Actor("boss"), "Forgotten.", "token-2")
    assert BrokerOperation.objects.count() == 1


def test_a_reset_that_could_not_be_sent_leaves_the_old_password(
    boss: Client, simulator: Simulator, payer: TradingAccount
) -> None:
    simulator.faults(fault("reset-password", "too_many_requests"))
    (said,) = told(press(boss, button_of(payer, "reset_password")))
    assert said.startswith("It could not be sent, and the password is as it was. ")
    assert BrokerOperation.objects.get().status == Status.CANCELLED
    assert press(boss, button_of(payer, "reset_password")).context["password"]


def test_with_the_connection_switched_off_nothing_is_sent(boss: Client, payer: TradingAccount) -> None:
    BrokerConnection.objects.update(is_enabled=False)
    assert told(press(boss, button_of(payer, "reset_password"))) == [
        "Nothing was sent, and the password is as it was. The connection simulator is switched off."
    ]
    assert not BrokerOperation.objects.exists()


def test_every_page_of_a_reset_is_its_own(payer: TradingAccount) -> None:
    reset = next(button for button in BUTTONS if button.name == "reset_password")
    pages = [reset.press(payer, Actor("boss"), "Forgotten.", f"token-{number}") for number in range(2)]
    passwords = {page.context["password"] for page in pages if isinstance(page, Page)}
    assert len(passwords) == 2
