"""The generated secrets of a data directory: `secrets.json`, readable by its owner only, written once."""

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

GENERATORS: dict[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "FIELD_KEYS": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),  # one Fernet key
    "BROKERSIM_API_KEY": lambda: secrets.token_hex(20),
    "POSTGRES_PASSWORD": lambda: secrets.token_hex(20),
    "VALKEY_PASSWORD": lambda: secrets.token_hex(20),
}


def load_secrets(data: Path, *, create: bool = True) -> dict[str, str]:
    """All secrets of the data directory; missing ones are generated, and kept if `create`."""
    path = data / "secrets.json"
    if not create:
        kept = json.loads(path.read_text()) if path.exists() else {}
        return generated() | kept
    data.mkdir(parents=True, exist_ok=True)
    with (data / "secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = json.loads(path.read_text()) if path.exists() else {}
        if GENERATORS.keys() - kept.keys():
            kept = generated() | kept
            write_private(path, json.dumps(kept, indent=2) + "\n")
    return {name: str(value) for name, value in kept.items()}


def generated() -> dict[str, str]:
    return {name: generate() for name, generate in GENERATORS.items()}


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, with mode 0600 from its first byte on."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
