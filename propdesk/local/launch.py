"""Commands for child processes: tied to our life, and for PostgreSQL under another user id than root."""

import os
import shutil
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

NOBODY = 65534
TETHER = str(Path(__file__).with_name("tether.py"))


def tethered(command: list[str], *, death_signal: str = "SIGTERM", uid: str = "") -> list[str]:
    """The command that ends with this process. Start it from the main thread: Linux watches the parent *thread*."""
    return [sys.executable, "-I", TETHER, str(os.getpid()), death_signal, uid, *command]


def unprivileged(command: list[str], *, death_signal: str = "SIGINT") -> list[str]:
    """The tethered command under a user id that PostgreSQL accepts (it refuses 0); `owner()` must own its files."""
    if os.geteuid() != 0:
        return tethered(command, death_signal=death_signal)
    if _user_namespaces():
        # The tether goes inside: entering a namespace changes credentials, and that clears the death signal.
        return [
            "unshare",
            "--user",
            "--map-user=1000",
            "--map-group=1000",
            "--",
            *tethered(command, death_signal=death_signal),
        ]
    if shutil.which("setpriv"):
        # A container without user namespaces. The one capability lets it pass through a 0700 home on its way.
        caps = [
            "--inh-caps=-all,+dac_override",
            "--ambient-caps=-all,+dac_override",
            "--bounding-set=-all,+dac_override",
        ]
        switch = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *caps, "--"]
        return [*switch, *tethered(command, death_signal=death_signal)]
    return tethered(command, death_signal=death_signal, uid=str(NOBODY))


def owner() -> int:
    """The user id that must own what an `unprivileged` command reads and writes."""
    if os.geteuid() != 0 or _user_namespaces():
        return os.geteuid()
    return NOBODY


@cache
def _user_namespaces() -> bool:
    """Whether root may become user 1000 in a namespace of its own, where root's own files stay readable."""
    if not shutil.which("unshare"):
        return False
    probe = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--", "true"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do it: a port that a closed connection still lingers on counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
