"""`make chaos`: a safety phase under fire, a liveness phase without, then the verdict: exit status 1 if any is bad."""

import json
import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.crew import Crew
from tests.chaos.plan import Plan, add_arguments
from tests.chaos.world import ROOT, World

SHOWN = 8


def main() -> int:
    parser = ArgumentParser(prog="chaos", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--data", type=Path, help="an empty directory for databases and logs (a temporary one)")
    parser.add_argument("--json", type=Path, help="where to write the numbers to")
    values = vars(parser.parse_args())
    plan = Plan.of(values)
    data = values["data"] or Path(tempfile.mkdtemp(prefix="propdesk-chaos-"))
    world = World(data, seed=plan.seed)
    try:
        _prepare(world)
        numbers, wrong = _run(world, plan)
    finally:
        world.stop()
    _print_table(numbers, wrong, plan, data)
    if values["json"]:
        values["json"].write_text(json.dumps({"plan": asdict(plan), "numbers": numbers, "wrong": wrong}, indent=1))
    return 1 if wrong else 0


def _prepare(world: World) -> None:
    """Settings and tables; our children inherit the environment."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    os.environ |= {
        "DATABASE_URL": world.postgres.url, "REDIS_URL": world.valkey.url, "PROPDESK_DATA": str(world.data),
        "SECRET_KEY": "chaos", "FIELD_KEYS": Fernet.generate_key().decode(), "LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "propdesk.settings", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    import django  # noqa: PLC0415  (settings need the servers' addresses)
    from django.core.management import call_command  # noqa: PLC0415

    django.setup()
    call_command("migrate", verbosity=0)
    world.simulator("POST", "/sim/market", {"running": False})


def _run(world: World, plan: Plan) -> tuple[dict[str, Any], dict[str, list[str]]]:
    from tests.chaos.battle import fight  # noqa: PLC0415  (models, after the setup)

    crew = Crew(plan, world.logs)
    try:
        return fight(world, plan, crew)
    finally:
        crew.stop()


def _print_table(numbers: dict[str, Any], wrong: dict[str, list[str]], plan: Plan, data: Path) -> None:
    width = max(len(name) for name in numbers)
    lines = [f"  {name:<{width}}  {value}" for name, value in numbers.items()]
    for name, details in wrong.items():
        lines += ["", f"  {name}:", *(f"    {detail}" for detail in details[:SHOWN])]
        lines += [f"    and {len(details) - SHOWN} more"] if len(details) > SHOWN else []
    lines += ["", f"  logs    {data / 'logs'}", f"  replay  {plan.replay()}"]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    begun = time.monotonic()
    code = main()
    sys.stdout.write(f"  took    {time.monotonic() - begun:.0f} s\n")
    sys.exit(code)
