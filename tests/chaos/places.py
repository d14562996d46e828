"""Every place at which a process can be told to die, enumerated from the code, and those that nothing ever passes."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from django.apps import apps

from brokers.client import thinkmarkets
from brokers.models import BrokerOperation
from brokers.services.leases import Leased
from tests.chaos.world import ROOT

APPS = ("brokers", "purchases", "challenges", "programs", "propdesk")
# Who names places: around the commit of a status, around a call, and around a lease.
NAMERS = {"propdesk/lib/crash.py", "propdesk/lib/transitions.py", "brokers/client/thinkmarkets.py",
          "brokers/services/leases.py"}  # fmt: skip

READ_BACK = "A refused call that only sets a state is judged by a reading: it is done, made again, or for staff."
NEVER_DROPPED = "An account is taken out of trading whatever else happens; nobody may drop that."
UNREACHABLE = {
    **{f"brokeroperation {kind} refused": READ_BACK for kind in ("enable", "disable", "close_all", "close_one")},
    "brokeroperation disable cancelled": NEVER_DROPPED,
    "brokeroperation close_all cancelled": NEVER_DROPPED,
    "brokeroperation reset_password needs review": "It is sent once and never read: unconfirmed, it ends cancelled.",
    "challenge cancelled": "The status exists for the API; no service cancels a challenge.",
    "enrollment cancelled": "The status exists for the API; no service cancels an enrollment.",
}

# Journeys of their own, elsewhere.
HIT_IN = {"purchase refunded": "tests/purchases/test_refund_crashes.py"}


def every_place() -> set[str]:
    """The names without "before" and "after"."""
    return {*_statuses(), *_calls(), *_leases()}


def _statuses() -> Iterator[str]:
    """Each status that a row can be created with, or that an edge leads to."""
    for model in apps.get_models():
        edges: dict[int, frozenset[int]] = getattr(model, "EDGES", {})
        if not edges:
            continue
        status: Any = model._meta.get_field("status")
        labels = dict(status.flatchoices)
        kinds = BrokerOperation.Kind.values if model is BrokerOperation else [""]
        for reached in {int(status.default)}.union(*edges.values()):
            for kind in kinds:
                yield " ".join(part for part in (model._meta.model_name, kind, labels[int(reached)]) if part)


def _calls() -> Iterator[str]:
    """Each endpoint that the client writes to."""
    for call in _calls_in(Path(thinkmarkets.__file__)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"_write", "_send"}:
            for endpoint in call.args[:1]:
                if isinstance(endpoint, ast.Constant):
                    yield f"call {endpoint.value!s}"


def _leases() -> Iterator[str]:
    for model in get_args(Leased):
        yield f"lease {model._meta.model_name}"


def modules_that_name_places() -> set[str]:
    """Every module of ours that calls `crash` or `crash_around_commit`."""
    names = {"crash", "crash_around_commit"}
    return {
        str(path.relative_to(ROOT))
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if any(isinstance(call.func, ast.Name) and call.func.id in names for call in _calls_in(path))
    }


def _calls_in(path: Path) -> list[ast.Call]:
    text = path.read_text()
    if "crash" not in text:
        return []
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
