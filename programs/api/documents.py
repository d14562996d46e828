"""Programs as a JSON document, for taking them from one installation to another.

    {"programs": [{"brand": ..., "name": ..., "price": 499, ..., "steps": [{...}, ...]}, ...]}

Each program is the `data` of a MngCreatePropProgram: what an export writes, an import and the API both take.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rest_framework import serializers

from programs.api.inputs import CreateInput
from programs.api.shapes import MORE_RULES, SEED_RULES, json_value
from programs.models import Phase, Program
from programs.services.drafts import PROGRAM_FIELDS
from propdesk.lib.mng.errors import InvalidDataError, Problem, problems_in
from propdesk.lib.mng.parsers import parse_json

MOST_PROGRAMS = 100


def export_document(programs: Iterable[Program]) -> str:
    """The document, indented for reading. Load `phases__account_group` beforehand; ids, status and times stay out."""
    document = {"programs": [_program(program) for program in programs]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def read_document(body: bytes) -> list[tuple[str, Mapping[str, Any]]]:
    """The programs of a document, each with its path (such as `programs[0]`) and ready for `save_program`.

    One program by itself is a document too; its path is empty. Raises InvalidDataError naming everything that is wrong
    by its path, and TooLargeError.
    """
    value = parse_json(body)
    if not isinstance(value, dict):
        raise InvalidDataError.at("", 'An object such as {"programs": [...]} is required.')
    if "programs" not in value:
        return _validated([("", value)])
    unknown = [Problem(str(name)[:100], "Unknown field.") for name in value if name != "programs"]
    programs = value["programs"]
    if unknown:
        raise InvalidDataError(unknown)
    if not isinstance(programs, list) or not 1 <= len(programs) <= MOST_PROGRAMS:
        raise InvalidDataError.at("programs", f"A list of 1 to {MOST_PROGRAMS} programs is required.")
    return _validated([(f"programs[{index}]", program) for index, program in enumerate(programs)])


def below(path: str, problems: Iterable[Problem]) -> list[Problem]:
    """The problems of one program of a document, with their paths in the document."""
    return [Problem(f"{path}.{problem.field}".strip("."), problem.message) for problem in problems]


def _validated(found: list[tuple[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    programs, problems = [], []
    for path, given in found:
        read = CreateInput(data=given)
        try:
            read.is_valid(raise_exception=True)
        except serializers.ValidationError as error:
            problems += below(path, problems_in(error.detail))
        else:
            programs.append((path, read.validated_data))
    if problems:
        raise InvalidDataError(problems)
    return programs


def _program(program: Program) -> dict[str, Any]:
    settings = {name: json_value(getattr(program, name)) for name in PROGRAM_FIELDS}
    return {**settings, "steps": [_step(phase) for phase in program.phases.all()]}


def _step(phase: Phase) -> dict[str, Any]:
    return {
        "phase_index": phase.phase_index,
        "phase_type": int(phase.phase_type),
        "name": phase.name,
        "account_group": phase.account_group.name,
        **{name: json_value(getattr(phase, name)) for name in (*SEED_RULES, *MORE_RULES)},
    }
