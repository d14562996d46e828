"""The program commands, each declared once."""

from collections.abc import Mapping
from typing import Any

from programs.api import examples
from programs.api.inputs import CreateInput, ProgramIdInput, UpdateInput
from programs.api.shapes import card
from programs.models import Program
from programs.services import ProgramNotFoundError, delete_program, save_program
from propdesk.lib.mng.commands import Caller, Command
from propdesk.lib.mng.table import Column, Table, TableInput, UnixSeconds

PROGRAMS = Table(
    [
        Column("id", "int", "id"),
        Column("brand", "string", "brand"),
        Column("name", "string", "name"),
        Column("description", "string", "description"),
        Column("demo_group", "string", "demo_group"),
        Column("price", "double", "price"),
        Column("price_currency", "string", "price_currency"),
        Column("status", "int", "status"),
        Column("sort_index", "int", "sort_index"),
        Column("phases_count", "int", "phases_count", filterable=False),
        Column("created_time", "int64", UnixSeconds("created_at")),
        Column("updated_time", "int64", UnixSeconds("updated_at")),
    ]
)


def _create(data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    return card(save_program(data=data, by=caller.by, now=caller.now))


def _get(data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    program = Program.objects.filter(pk=data["id"]).first()
    if program is None:
        raise ProgramNotFoundError(data["id"])
    return card(program)


def _update(data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    changes = {name: value for name, value in data.items() if name not in {"id", "version"}}
    program = save_program(
        program_id=data["id"], version=data.get("version"), data=changes, by=caller.by, now=caller.now
    )
    return card(program)


def _delete(data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    kept = delete_program(program_id=data["id"], by=caller.by, now=caller.now)
    return {"id": kept.program_id, "deleted": True, "counters": kept.counters}


def _by_filter(data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    return PROGRAMS.read(Program.objects.all(), data)


CREATE = Command("MngCreatePropProgram", CreateInput, _create, examples=(examples.CREATE,))
GET = Command("MngGetPropProgram", ProgramIdInput, _get, examples=(examples.GET,))
UPDATE = Command("MngUpdatePropProgram", UpdateInput, _update, examples=(examples.UPDATE,))
DELETE = Command("MngDeletePropProgram", ProgramIdInput, _delete, examples=(examples.DELETE,))
BY_FILTER = Command("MngGetPropProgramsByFilter", TableInput, _by_filter, examples=(examples.BY_FILTER,))
COMMANDS = (CREATE, GET, UPDATE, DELETE, BY_FILTER)
