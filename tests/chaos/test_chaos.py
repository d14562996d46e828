"""A short run of `make chaos`, and runs that must find something: a verdict that cannot be bad proves nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.plan import PLACES, Plan
from tests.chaos.world import ROOT

NOT_OURS = {"DATABASE_URL", "REDIS_URL", "PROPDESK_DATA"}
GOOD = ("duplicates enabled", "duplicates funded", "wrong balances", "lost", "stuck", "orphans unrecorded")


def run_chaos(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, the JSON document and what was printed."""
    environment = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    report = folder / "report.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--data", str(folder / "data"), "--json", str(report), *arguments],
        check=False, capture_output=True, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip
    assert report.exists(), done.stdout[-2000:] + done.stderr[-4000:]
    return done.returncode, json.loads(report.read_text()), done.stdout


@pytest.mark.timeout(900)
def test_a_short_run_ends_with_nothing_wrong(tmp_path: Path):
    arguments = ["--orders", "36", "--kills", "4", "--seed", "7", "--converge-seconds", "600"]
    code, report, printed = run_chaos(tmp_path, *arguments)
    assert (code, report["wrong"]) == (0, {}), printed
    numbers = report["numbers"]
    assert {name: numbers[name] for name in GOOD} == dict.fromkeys(GOOD, 0)
    assert numbers["faults injected"] > 20
    assert numbers["kills"].startswith("4 at random")
    assert "replay  make chaos ORDERS=36 SALES=0.5 FAULT_RATE=0.3 KILLS=4 SEED=7" in printed


@pytest.mark.timeout(900)
def test_without_settle_time_and_quarantine_the_verdict_is_bad(tmp_path: Path):
    # Nearly every second order meets an effect that comes after it was called absent: in the end, if need be.
    late = ["--fault-rate", "0.05", "--late-share", "0.3", "--late-seconds", "600"]
    hasty = ["--settle", "0", "--quarantine", "0"]
    arguments = ["--orders", "24", "--kills", "0", "--sales", "0", "--converge-seconds", "20"]
    code, report, printed = run_chaos(tmp_path, *arguments, *late, *hasty)
    assert code == 1, printed
    assert {"wrong balances", "orphans unrecorded"} & set(report["wrong"]), printed


def test_one_seed_gives_one_plan():
    values = {
        "orders": 100, "sales": 0.5, "fault_rate": 0.3, "kills": 20, "seed": 3, "sweepers": 2, "workers": 1,
        "converge_seconds": 60, "settle": 4, "quarantine": 10, "late_share": 0.02, "late_seconds": 7.0,
    }  # fmt: skip
    plan, other = Plan.of(values), Plan.of({**values, "seed": 4})
    assert plan.blows() == Plan.of(values).blows() != other.blows()
    assert plan.places().choices(PLACES, k=9) == Plan.of(values).places().choices(PLACES, k=9)
    assert len(plan.blows()) == 20 + 2 + 2 + 1
