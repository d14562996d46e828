"""What `make run` shows: steps with their seconds, the processes' noteworthy lines, and the closing summary."""

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

# Our own log lines, gunicorn's and Celery's put the level near the start; what has none (a traceback) is shown.
ROUTINE = re.compile(r"^.{0,60}?\b(DEBUG|INFO)\b")
BEGUN = time.monotonic()


def say(text: str) -> None:
    """Print now. Whoever reads our output may be gone, which is no reason to stop."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError:
        pass


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce a step, and say how long it took once it is done."""
    begun = time.monotonic()
    say(f"  {begun - BEGUN:5.1f} s  {text} ...")
    yield
    took = time.monotonic() - begun
    if took >= 1:
        say(f"           done in {took:.1f} s")


def is_routine(line: str) -> bool:
    return bool(ROUTINE.match(line)) or not line.strip()


def frame(rows: Sequence[tuple[str, str]]) -> str:
    """The rows as two columns in a box."""
    left = max(len(name) for name, _ in rows)
    right = max(len(value) for _, value in rows)
    edge = "+" + "-" * (left + right + 6) + "+"
    body = [f"|  {name:<{left}}  {value:<{right}}  |" for name, value in rows]
    return "\n".join([edge, *body, edge])
