"""The private servers: shared by all who use a data directory, gone when nobody does."""

import fcntl
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from propdesk.local.environment import NOWHERE, prepare
from propdesk.local.errors import StartError
from propdesk.local.keeper import try_lock
from propdesk.local.lease import ROOT, Lease

HOLDER = """
import sys
from pathlib import Path
from propdesk.local.lease import Lease
lease = Lease(sys.argv[1], Path(sys.argv[2]), durable=False)
print(lease.url, flush=True)
sys.stdin.read()
lease.leave()
"""


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes_of(data: Path) -> list[str]:
    """The command lines of all processes that work on this data directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text().replace("\0", " ")
        except OSError:
            continue
        if str(data) in line and str(os.getpid()) != path.parent.name:
            found.append(line)
    return found


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=30).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert wait_for(lambda: not processes_of(tmp_path)), processes_of(tmp_path)


@pytest.fixture
def hold(data: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start another process that uses the named server until its input is closed."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, name, str(data)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_lease_starts_postgresql_and_leaving_it_stops_it(data: Path) -> None:
    lease = Lease("postgres", data, durable=False)
    with psycopg.connect(lease.url) as connection:
        row = connection.execute("SELECT current_setting('fsync'), current_database()").fetchone()
    assert row == ("off", "propdesk")

    lease.leave()

    assert processes_of(data) == []


def test_data_survives_a_restart_and_a_durable_server_syncs_to_disk(data: Path) -> None:
    lease = Lease("postgres", data, durable=True)
    with psycopg.connect(lease.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    lease.leave()

    again = Lease("postgres", data, durable=True)
    with psycopg.connect(again.url) as connection:
        assert connection.execute("SELECT answer, current_setting('fsync') FROM kept").fetchone() == (42, "on")
    again.leave()


def test_text_is_folded_beyond_ascii(data: Path) -> None:
    lease = Lease("postgres", data, durable=False)
    with psycopg.connect(lease.url) as connection:
        assert connection.execute("SELECT upper('müller')").fetchone() == ("MÜLLER",)
    lease.leave()


def test_secrets_and_addresses_are_for_their_owner_only(data: Path) -> None:
    lease = Lease("valkey", data, durable=False)
    private = [data / "secrets.json", data / "servers" / "valkey.json", data / "valkey" / "valkey.conf"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o600, 0o600, 0o600]
    with_password = re.search(r":([0-9a-f]{40})@", lease.url)
    assert with_password is not None
    assert with_password[1] not in "".join(processes_of(data))
    with (
        redis.Redis.from_url(lease.url.replace(with_password[1], "wrong")) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()
    lease.leave()


def test_two_processes_share_a_server_whichever_leaves_first(
    data: Path, hold: Callable[[str], subprocess.Popen[str]]
) -> None:
    starter, joiner = hold("postgres"), hold("postgres")
    url = first_line(starter)
    assert first_line(joiner) == url
    assert len([line for line in processes_of(data) if "propdesk.local.keeper" in line]) == 1

    starter.communicate()

    assert starter.returncode == 0
    assert answers(url)
    joiner.communicate()
    assert processes_of(data) == []


def test_a_keepers_lock_is_held_until_its_process_is_gone(tmp_path: Path) -> None:
    """Those who leave wait for it, and then nothing may be left: not even an interpreter that tidies up."""
    path = tmp_path / "lock"
    code = (
        "import fcntl, gc, sys\nfrom pathlib import Path\nfrom propdesk.local.keeper import open_lock, try_lock\n"
        "def main(): print(try_lock(open_lock(Path(sys.argv[1])), fcntl.LOCK_EX))\n"
        "main()\ngc.collect()\nprint('tidying up', flush=True)\nsys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as keeper:
        assert [first_line(keeper), first_line(keeper)] == ["True", "tidying up"]
        with path.open() as lock:
            assert not try_lock(lock, fcntl.LOCK_SH)
            keeper.communicate()
            assert try_lock(lock, fcntl.LOCK_SH)


def test_a_killed_user_leaves_no_server_behind(data: Path, hold: Callable[[str], subprocess.Popen[str]]) -> None:
    user = hold("valkey")
    first_line(user)
    user.kill()
    assert wait_for(lambda: not processes_of(data))


def test_a_killed_keeper_takes_its_server_along_and_is_replaced_at_the_same_address(data: Path) -> None:
    lease = Lease("postgres", data, durable=False)
    url = lease.url
    keeper = subprocess.run(["pgrep", "-f", f"keeper postgres {data}"], capture_output=True, text=True, check=True)
    os.kill(int(keeper.stdout), signal.SIGKILL)
    assert wait_for(lambda: not answers(url))

    lease.keep()

    assert lease.url == url
    assert answers(url)
    lease.leave()


def test_a_server_that_dies_is_started_again_at_the_same_address(data: Path) -> None:
    lease = Lease("valkey", data, durable=False)
    with redis.Redis.from_url(lease.url) as client:
        pid = client.info()["process_id"]
        os.kill(pid, signal.SIGKILL)
        assert wait_for(lambda: answers_redis(lease.url) not in {None, pid})
    lease.leave()


def answers_redis(url: str) -> int | None:
    try:
        with redis.Redis.from_url(url) as client:
            return int(client.info()["process_id"])
    except redis.RedisError:
        return None


def test_another_version_of_postgresql_is_refused_and_nothing_is_changed(data: Path) -> None:
    Lease("postgres", data, durable=False).leave()
    marker = data / "postgres" / "PG_VERSION"
    marker.write_text("12\n")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (data / "postgres").iterdir())

    with pytest.raises(StartError) as refused:
        Lease("postgres", data, durable=False)

    message = str(refused.value)
    assert "belongs to PostgreSQL 12, and this PropDesk runs PostgreSQL 18" in message
    assert "PROPDESK_DATA=" in message
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (data / "postgres").iterdir()) == before


def test_foreign_files_where_the_database_belongs_are_refused(data: Path) -> None:
    (data / "postgres").mkdir()
    (data / "postgres" / "holiday.jpg").write_text("not a database")

    with pytest.raises(StartError, match="holds files, but no PostgreSQL database"):
        Lease("postgres", data, durable=False)

    assert [path.name for path in (data / "postgres").iterdir()] == ["holiday.jpg"]


def test_foreign_files_beside_the_database_are_left_alone(data: Path) -> None:
    (data / "notes.txt").write_text("mine")
    Lease("valkey", data, durable=False).leave()
    assert (data / "notes.txt").read_text() == "mine"


def test_a_lost_password_is_said_clearly(data: Path) -> None:
    Lease("postgres", data, durable=False).leave()
    (data / "secrets.json").unlink()
    with pytest.raises(StartError, match="does not accept the password"):
        Lease("postgres", data, durable=False)


def test_a_command_without_data_starts_no_server(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PROPDESK_DATA", str(data / "untouched"))
    prepare(["rules", "-"])
    assert {name: os.environ[name] for name in NOWHERE} == NOWHERE
    assert not (data / "untouched").exists()


def test_production_gets_nothing_filled_in(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROPDESK_ENV", "production")
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("PROPDESK_DATA", str(data / "untouched"))
    prepare(["migrate"])
    assert "DATABASE_URL" not in os.environ
    assert not (data / "untouched").exists()
