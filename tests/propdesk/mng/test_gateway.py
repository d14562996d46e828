"""The TCP gateway as a client meets it: a real `manage.py mngserver`, real sockets, the test's database."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from programs.models import Program
from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import STAFF_SESSIONS, Session
from propdesk.lib.processes.models import ProcessHeartbeat
from tests.programs.conftest import secret_for, seed
from tests.propdesk.mng.gateway import PATIENCE, ROOT, Client, Gateway

pytestmark = pytest.mark.usefixtures("groups")

STEP = {"phase_index": 1, "name": "Evaluation", "account_group": "PROP_DEMO_USD"}
PROGRAM = {"brand": "default", "name": "P", "price": 499.0, "price_currency": "USD", "steps": [STEP]}
PAGE = {"limit": 10, "offset": 0}


def request(command: str, data: Any, secret: str, ext_id: str = "1") -> dict[str, Any]:
    return {"command": command, "extID": ext_id, "data": data, "__token": secret}


def table(secret: str, ext_id: str = "1") -> dict[str, Any]:
    return request("MngGetPropProgramsByFilter", PAGE, secret, ext_id)


def create(client: Client, secret: str, **changes: Any) -> dict[str, Any]:
    answer = client.ask(request("MngCreatePropProgram", {**PROGRAM, **changes}, secret))
    assert answer["status"] == 200, answer
    return dict(answer["data"])


def waiting_for_locks() -> int:
    """How many commands wait for a program. Heartbeats of several gateways wait for each other now and then, too."""
    waiting = (
        "SELECT count(DISTINCT waiting.pid) FROM pg_locks waiting JOIN pg_locks held USING (pid)"
        " WHERE NOT waiting.granted AND held.granted AND held.relation = 'programs_program'::regclass"
    )
    with connection.cursor() as cursor:
        cursor.execute(waiting)
        return int(cursor.fetchone()[0])


def wait_for(look: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < end:
        time.sleep(0.02)
    return seen


# --- Frames -------------------------------------------------------------------------------------------------------


def test_a_command_is_answered_in_the_envelope(client: Client, secret: str):
    assert client.ask(table(secret, "ab12")) == {
        "extID": "ab12",
        "status": 200,
        "data": {"structure": seed("by_filter_response_data")["structure"], "rows": [], "count": 0},
    }


def test_an_answer_is_one_line_that_ends_in_carriage_return_and_newline(client: Client, secret: str):
    client.send(table(secret))
    received = b""
    while not received.endswith(b"\n"):
        received += client.socket.recv(65536)
    assert received.endswith(b"}\r\n")
    assert received.count(b"\n") == received.count(b"\r") == 1


def test_a_frame_may_come_byte_by_byte(client: Client, secret: str):
    for byte in json.dumps(table(secret, "slow")).encode() + b"\r\n":
        client.socket.sendall(bytes([byte]))
    assert client.receive()["extID"] == "slow"


def test_a_frame_may_come_in_two_reads_cut_between_carriage_return_and_newline(client: Client, secret: str):
    frame = json.dumps(table(secret, "cut")).encode() + b"\r"
    client.socket.sendall(frame)
    client.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.receive()
    client.socket.settimeout(PATIENCE)
    client.socket.sendall(b"\n")
    assert client.receive()["extID"] == "cut"


def test_two_frames_and_the_start_of_a_third_may_come_in_one_read(client: Client, secret: str):
    frames = [json.dumps(table(secret, ext_id)).encode() + b"\r\n" for ext_id in "abc"]
    client.socket.sendall(frames[0] + frames[1] + frames[2][:30])
    assert {client.receive()["extID"], client.receive()["extID"]} == {"a", "b"}
    client.socket.sendall(frames[2][30:])
    assert client.receive()["extID"] == "c"


def test_a_document_may_span_lines_and_hold_any_text(
    client: Client,
    secret: str,
):
    name = 'Prüfung ✓ 𝄞 "quoted" \\ O\'Neill \r\n second line'
    body = json.dumps(request("MngCreatePropProgram", {**PROGRAM, "name": name}, secret, "é✓"), indent=2)
    answer = client.ask(body.encode())
    assert (answer["status"], answer["extID"]) == (200, "é✓")
    assert answer["data"]["program"]["name"] == name


def test_utf8_beyond_ascii_is_read_as_it_is(client: Client, secret: str):
    body = json.dumps(request("MngCreatePropProgram", {**PROGRAM, "name": "Prüfung ✓"}, secret), ensure_ascii=False)
    client.send(body.encode())
    assert client.receive()["data"]["program"]["name"] == "Prüfung ✓"


def test_no_answer_holds_a_bare_apostrophe_which_the_php_client_would_spoil(client: Client, secret: str):
    client.send(request("It's unknown", {}, secret))
    received = client.socket.recv(65536)
    assert b"'" not in received
    assert "It's unknown" in json.loads(received)["message"]


def test_what_was_sent_before_the_client_closed_its_side_is_answered(client: Client, secret: str):
    client.send(table(secret, "a"), table(secret, "b"))
    client.socket.sendall(b'{"command": "Mng')
    client.socket.shutdown(socket.SHUT_WR)
    assert {client.receive()["extID"], client.receive()["extID"]} == {"a", "b"}
    assert client.is_at_end()


# --- Many at once -------------------------------------------------------------------------------------------------


def test_a_thousand_commands_on_one_connection_are_all_answered_once(client: Client, secret: str):
    names = [f"{number:x}" for number in range(1000)]
    sending = threading.Thread(target=client.send, args=[table(secret, name) for name in names])
    sending.start()
    answers = [client.receive() for _ in names]
    sending.join()
    assert sorted(answer["extID"] for answer in answers) == sorted(names)
    assert {answer["status"] for answer in answers} == {200}


def test_a_slow_command_holds_up_neither_its_own_connection_nor_another(gateway: Gateway, client: Client, secret: str):
    program = create(client, secret)["program"]
    with gateway.connect() as other:
        with transaction.atomic():
            Program.objects.select_for_update().get()
            client.send(request("MngUpdatePropProgram", {"id": program["id"], "name": "New"}, secret, "slow"))
            assert wait_for(waiting_for_locks) == 1
            assert other.ask(table(secret, "theirs"))["extID"] == "theirs"
            assert client.ask(table(secret, "mine"))["extID"] == "mine"
        answer = client.receive()
    assert (answer["extID"], answer["status"], answer["data"]["program"]["name"]) == ("slow", 200, "New")


def test_three_connections_full_of_slow_commands_leave_a_fourth_its_turn(gateway: Gateway, client: Client, secret: str):
    number = create(client, secret)["program"]["id"]
    updates = [request("MngUpdatePropProgram", {"id": number, "sort_index": n}, secret, str(n)) for n in range(8)]
    busy = [gateway.connect() for _ in range(3)]
    with transaction.atomic():
        Program.objects.select_for_update().get()
        for other in busy:
            other.send(*updates)
        assert wait_for(lambda: waiting_for_locks() == 24)
        # While all of them wait for us: whoever had to wait for them would wait in vain.
        assert client.ask(table(secret))["status"] == 200
    for other in busy:
        assert {other.receive()["extID"] for _ in updates} == set("01234567")
        other.socket.close()


def test_a_command_goes_on_when_its_sender_leaves(gateway: Gateway, secret: str):
    with gateway.connect() as client:
        number = create(client, secret)["program"]["id"]
        with transaction.atomic():
            Program.objects.select_for_update().get()
            client.send(request("MngUpdatePropProgram", {"id": number, "name": "Left"}, secret))
            assert wait_for(waiting_for_locks) == 1
            client.socket.close()
    assert wait_for(lambda: Program.objects.get().name == "Left")


def test_half_a_frame_is_not_run_when_its_sender_leaves(gateway: Gateway, secret: str):
    with gateway.connect() as client:
        client.socket.sendall(json.dumps(request("MngCreatePropProgram", PROGRAM, secret)).encode())
        client.socket.shutdown(socket.SHUT_WR)
        assert client.is_at_end()
    assert not Program.objects.exists()


def test_a_large_answer_arrives_whole_while_others_are_answered(gateway: Gateway, client: Client, secret: str):
    now = timezone.now()
    Program.objects.bulk_create(
        Program(brand="default", name=f"P{n}", description="x" * 200, price=1, price_currency="USD",
                created_at=now, updated_at=now) for n in range(10_000)
    )  # fmt: skip
    with gateway.connect() as other:
        client.send(request("MngGetPropProgramsByFilter", {"limit": 50_000, "offset": 0}, secret))
        for number in range(20):
            assert other.ask(table(secret, str(number)))["extID"] == str(number)
        answer = client.receive()
    assert answer["data"]["count"] == 10_000
    assert len({row[0] for row in answer["data"]["rows"]}) == 10_000


# --- The seeds ----------------------------------------------------------------------------------------------------


def make_seed_program(client: Client, secret: str, steps: list[dict[str, Any]]) -> int:
    told = {"name": "Evaluation 100K", "description": "Two phase evaluation", "sort_index": 100}
    return int(create(client, secret, **told, steps=steps)["program"]["id"])


def test_the_update_of_seed_001_is_answered_as_printed(client: Client, secret: str):
    update, printed = seed("update_request"), seed("update_response_data")
    number = make_seed_program(client, secret, update["data"]["steps"][:1])
    update["data"]["id"] = number

    answer = client.ask({**update, "__token": secret})

    assert (answer["extID"], answer["status"]) == ("1", 200)
    program, steps = answer["data"]["program"], answer["data"]["steps"]
    for name, value in printed["program"].items():
        if not name.endswith("_time"):
            assert program[name] == (number if name == "id" else value), name
    for given, expected in zip(steps, printed["steps"], strict=True):
        for name, value in expected.items():
            if name not in {"id", "program_id"} and not name.endswith("_time"):
                assert given[name] == value, name


def test_the_table_of_seed_004_is_answered_as_printed(client: Client, secret: str):
    number = make_seed_program(client, secret, seed("update_request")["data"]["steps"])
    expected = seed("by_filter_response_data")
    expected["rows"][0][0] = number
    at = datetime.fromtimestamp(expected["rows"][0][-1], UTC)
    Program.objects.update(created_at=at, updated_at=at)

    answer = client.ask({**seed("by_filter_request"), "__token": secret})

    assert answer == {"extID": "1", "status": 200, "data": expected}


def test_a_card_and_a_deletion_as_over_http(client: Client, secret: str):
    created = create(client, secret)
    number = created["program"]["id"]
    assert client.ask(request("MngGetPropProgram", {"id": number}, secret))["data"] == created
    assert client.ask(request("MngDeletePropProgram", {"id": number}, secret))["data"]["deleted"] is True
    assert client.ask(request("MngGetPropProgram", {"id": number}, secret))["error"] == "NOT_FOUND"
    assert not Program.objects.exists()


def test_the_readmes_example_runs_as_printed(gateway: Gateway, client: Client, secret: str, tmp_path: Path):
    create(client, secret, name="From the README")
    text = (ROOT / "README.md").read_text()
    example = text[text.index("```python\n") :].removeprefix("```python\n").split("```")[0]
    demo = {"mng_tcp": f"127.0.0.1:{gateway.port}", "tokens": {"SESSION_MANAGER": secret}}
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "demo.json").write_text(json.dumps(demo))

    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.stdout.startswith("200 [["), done.stderr
    assert "From the README" in done.stdout


# --- Who speaks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["wrong", "", 5, None, ["a"], {"a": 1}, "\u2028"])
def test_a_wrong_token_is_refused_and_the_connection_goes_on(client: Client, secret: str, token: Any):
    answer = client.ask({**table(secret, "x"), "__token": token})
    assert (answer["extID"], answer["status"], answer["error"]) == ("x", 401, "UNAUTHORIZED")
    assert client.ask(table(secret))["status"] == 200


def test_every_message_needs_its_token(client: Client, secret: str):
    assert client.ask(table(secret))["status"] == 200
    unsigned = {name: value for name, value in table(secret).items() if name != "__token"}
    assert client.ask(unsigned)["error"] == "UNAUTHORIZED"


def test_each_message_of_a_connection_may_have_another_token(client: Client, secret: str):
    for session in STAFF_SESSIONS:
        assert client.ask(table(secret_for(session)))["status"] == 200


def test_a_customers_token_is_refused(client: Client, secret: str):
    answer = client.ask(request("MngCreatePropProgram", PROGRAM, secret_for(Session.CUSTOMER), "x"))
    assert (answer["extID"], answer["status"], answer["error"]) == ("x", 403, "PERMISSION_DENIED")
    assert not Program.objects.exists()


def test_a_token_that_is_revoked_is_refused_from_the_next_message_on(client: Client, secret: str):
    assert client.ask(table(secret))["status"] == 200
    ApiToken.objects.update(revoked_at=timezone.now())
    assert client.ask(table(secret))["error"] == "UNAUTHORIZED"


# --- Life signs -----------------------------------------------------------------------------------------------------


def test_it_beats_under_the_name_that_readyz_looks_for(client: Client):
    assert wait_for(lambda: ProcessHeartbeat.objects.filter(name="gateway", detail__connections=1).exists())


def test_it_survives_the_loss_of_its_database_connections(client: Client, secret: str):
    assert client.ask(table(secret))["status"] == 200
    with connection.cursor() as cursor:
        cursor.execute(
            # Each is waited for: one that dies a moment later would take a command along.
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert client.ask(table(secret))["status"] == 200
