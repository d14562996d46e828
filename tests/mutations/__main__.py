"""`python -m tests.mutations [PART OF A NAME ...]`: exit status 1 if a mutant survives or fits the source no more."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from propdesk.local.environment import add_secrets, lease_servers
from tests.mutations.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "staticfiles", "node_modules")
# A test that only a mutant makes hang has noticed it, too.
LONGEST = 300
FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)


class StaleError(Exception):
    """The mutant fits the source no more."""


def main(wanted: Sequence[str]) -> int:
    chosen = [each for each in MUTANTS if not wanted or any(part in each.mechanism for part in wanted)]
    folder = Path(tempfile.mkdtemp(prefix="propdesk-mutants-"))
    # One pair of servers for all runs; each makes a database of its own.
    os.environ["PROPDESK_DATA"] = str(folder / "data")
    add_secrets(os.environ, create=True)
    leases = lease_servers(os.environ, durable=False)
    try:
        shutil.copytree(ROOT, folder / "tree", ignore=NOT_COPIED)
        return _run(chosen, folder / "tree")
    finally:
        for lease in leases:
            lease.leave()
        shutil.rmtree(folder, ignore_errors=True)


def _run(chosen: Sequence[Mutant], tree: Path) -> int:
    """Print a line for each; the exit status."""
    begun, bad = time.monotonic(), 0
    caught_by = sound(tree, sorted({test for mutant in chosen for test in mutant.tests}))
    if caught_by:
        sys.stdout.write(f"Without any mutant, {caught_by} fails: nothing can be said.\n")
        return 1
    width = max(len(each.mechanism) for each in chosen)
    for mutant in chosen:
        started = time.monotonic()
        try:
            caught_by = try_out(mutant, tree)
        except StaleError as stale:
            caught_by, verdict = "", f"STALE: {stale}"
        else:
            verdict = f"caught by {caught_by}" if caught_by else "SURVIVED"
        bad += not caught_by
        sys.stdout.write(f"{mutant.mechanism:<{width}}  {time.monotonic() - started:4.0f} s  {verdict}\n")
        sys.stdout.flush()
    took = time.monotonic() - begun
    sys.stdout.write(f"{len(chosen)} mutants, {len(chosen) - bad} caught, {bad} not, {took:.0f} s\n")
    return 1 if bad else 0


def sound(tree: Path, tests: Sequence[str]) -> str:
    """The test that fails without any mutant; "" when all pass."""
    return _first_failure(tree, tests, longest=LONGEST * 4)


def try_out(mutant: Mutant, tree: Path) -> str:
    """The test that notices; "" when none does. Raises `StaleError`."""
    path = tree / mutant.path
    original = path.read_text()
    try:
        path.write_text(mutated(original, mutant))
        return _first_failure(tree, mutant.tests, longest=LONGEST)
    finally:
        path.write_text(original)


def mutated(source: str, mutant: Mutant) -> str:
    """The source with the mechanism taken out. Raises `StaleError`."""
    for old, new in mutant.edits:
        if source.count(old) != 1:
            raise StaleError(f"{source.count(old)} times in {mutant.path}: {old!r}")
        source = source.replace(old, new)
    return source


def _first_failure(tree: Path, tests: Sequence[str], *, longest: float) -> str:
    """Run the tests until one fails, and name it. Raises `StaleError` when they cannot be run."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rf", "-p", "no:cacheprovider", "--durations=0", *tests]
    # Not even a second may pass between two edits, and then compiled files would be taken for up to date.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=tree, env=environment, timeout=longest
        )
    except subprocess.TimeoutExpired:
        return f"its own hanging ({longest:.0f} s)"
    failed = FAILED.search(done.stdout)
    if failed:
        return failed.group(1).rpartition("/")[2]
    if done.returncode == 0:
        return ""
    raise StaleError(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
