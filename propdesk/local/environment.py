"""What a management command needs before Django reads its settings: secrets and server addresses."""

import atexit
import os
from collections.abc import Callable, MutableMapping
from pathlib import Path

from propdesk.local.lease import ROOT, Lease
from propdesk.local.secret_store import load_secrets
from propdesk.local.servers import SERVERS

# They read no data. Settings want addresses nevertheless: these lead nowhere.
NO_SERVER = {"help", "version", "check", "collectstatic", "rules", "brokersim"}
NOWHERE = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nowhere", "REDIS_URL": "redis://127.0.0.1:1/0"}
SETTINGS_SECRETS = ("SECRET_KEY", "FIELD_KEYS", "BROKERSIM_API_KEY")


def data_directory() -> Path:
    return Path(os.environ.get("PROPDESK_DATA") or ROOT / ".data").resolve()


def is_local() -> bool:
    return os.environ.get("PROPDESK_ENV", "local") == "local"


def prepare(arguments: list[str]) -> None:
    """Fill in what the environment does not say, for `manage.py ARGUMENTS`; production gets nothing filled in."""
    if not is_local():
        return
    command = arguments[0] if arguments else "help"
    needs_servers = command not in NO_SERVER and not {"-h", "--help", "--version"} & set(arguments)
    add_secrets(os.environ, create=needs_servers or command == "brokersim")
    if not needs_servers:
        for name, value in NOWHERE.items():
            os.environ.setdefault(name, value)
        return
    for lease in lease_servers(os.environ):
        atexit.register(lease.leave)


def add_secrets(environment: MutableMapping[str, str], *, create: bool) -> None:
    """Secrets that the environment lacks come from the data directory, which without `create` is not written to."""
    missing = [name for name in SETTINGS_SECRETS if not environment.get(name)]
    if missing:
        kept = load_secrets(data_directory(), create=create)
        environment.update({name: kept[name] for name in missing})


def lease_servers(
    environment: MutableMapping[str, str], *, durable: bool = True, say: Callable[[str], None] | None = None
) -> list[Lease]:
    """Private servers for each address that the environment does not name, which is added to it."""
    leases = []
    for name, server in SERVERS.items():
        if not environment.get(server.url_variable):
            lease = Lease(name, data_directory(), durable=durable, say=say)
            environment[server.url_variable] = lease.url
            leases.append(lease)
    return leases
