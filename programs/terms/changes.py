"""What differs between two versions of a program's terms, in words for staff."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from programs.terms.canonical import plain
from programs.terms.parameter import Parameter
from programs.terms.parameters import PARAMETERS
from programs.terms.rule_terms import RuleTerms
from programs.terms.sentences import grouped, sentences

Document = Mapping[str, Any]
GENERAL = "General"
NONE = "-"

_LABELS = {
    "brand": "Brand",
    "name": "Name",
    "description": "Description",
    "price": "Price",
    "price_currency": "Currency",
    "phase_type": "Type",
    "account_group": "Account group",
    "initial_balance": "Initial balance",
    "profit_split": "Profit split",
}
_PHASE_TYPES = {0: "evaluation", 1: "funded"}
# Several parameters are labelled "Percentage of": alone they need the name of their group.
_USES = Counter(parameter.label for parameter in PARAMETERS.values())


@dataclass(frozen=True, slots=True)
class Change:
    """One field, before and after, as staff read it."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Section:
    """What changes in one place: the program itself, or one phase.

    `note` says what became of a phase as a whole ("added", "removed", "was phase 2"). The sentences are those that
    only the old terms (`lost`) or only the new terms (`gained`) tell customers.
    """

    title: str
    note: str = ""
    changes: tuple[Change, ...] = ()
    lost: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()


def differences(before: Document | None, after: Document) -> list[Section]:
    """Where two terms documents (`{"program", "phases"}`, as frozen in versions) differ; `before` None: all is new."""
    if before is None:
        return [_general({}, after["program"]), *(_added(phase, after) for phase in after["phases"])]
    sections = [_general(before["program"], after["program"])]
    for old, new in _pairs(before["phases"], after["phases"]):
        if old is None and new is not None:
            sections.append(_added(new, after))
        elif new is None and old is not None:
            told = tuple(phase_sentences(old, before["program"]))
            sections.append(Section(_title(old), "removed", lost=told))
        elif old is not None and new is not None:
            sections.append(_changed(old, new, before, after))
    return [section for section in sections if section.note or section.changes or section.lost or section.gained]


def phase_sentences(phase: Document, program: Document) -> list[str]:
    """The rules of one phase of a terms document in plain words."""
    given = {name: {**program, **phase}[name] for name in PARAMETERS if name in phase or name in program}
    terms = RuleTerms.from_mapping(given)
    return sentences(terms, Decimal(phase["initial_balance"]), program["price_currency"])


def summary(sections: Sequence[Section], most: int = 3) -> str:
    """A line for a list: `Price; 1. Evaluation: Profit target, %; and 2 more`."""
    parts = []
    for section in sections:
        place = "" if section.title == GENERAL else f"{section.title}: "
        parts += [f"{place}{section.note}"] if section.note else []
        parts += [f"{place}{change.label}" for change in section.changes]
    shown = parts[:most] + ([f"and {len(parts) - most} more"] if len(parts) > most else [])
    return "; ".join(shown)


def _general(before: Document, after: Document) -> Section:
    return Section(GENERAL, changes=tuple(_changes(before, after, before or after, after)))


def _added(phase: Document, document: Document) -> Section:
    program = document["program"]
    settings = {name: phase[name] for name in _LABELS if name in phase}
    return Section(
        _title(phase),
        "added",
        changes=tuple(_changes({}, settings, program, program)),
        gained=tuple(phase_sentences(phase, program)),
    )


def _changed(old: Document, new: Document, before: Document, after: Document) -> Section:
    told, tells = phase_sentences(old, before["program"]), phase_sentences(new, after["program"])
    moved = old["phase_index"] != new["phase_index"]
    return Section(
        _title(new),
        f"was phase {old['phase_index']}" if moved else "",
        changes=tuple(_changes(old, new, before["program"], after["program"])),
        lost=tuple(sentence for sentence in told if sentence not in tells),
        gained=tuple(sentence for sentence in tells if sentence not in told),
    )


def _pairs(before: Sequence[Document], after: Sequence[Document]) -> Iterator[tuple[Document | None, Document | None]]:
    """Which new phase continues which old one: first by name, then by index; what is left was added or removed."""
    left = list(before)
    continued: dict[int, Document] = {}
    for key in ("name", "phase_index"):
        for new in after:
            if new["phase_index"] in continued:
                continue
            old = next((phase for phase in left if phase[key] == new[key]), None)
            if old is not None:
                continued[new["phase_index"]] = old
                left.remove(old)
    yield from ((continued.get(new["phase_index"]), new) for new in after)
    yield from ((old, None) for old in left)


def _changes(before: Document, after: Document, program_before: Document, program_after: Document) -> Iterator[Change]:
    """Field by field, in the order of the tables here. Amounts are in the currency of their program."""
    old_currency, new_currency = program_before["price_currency"], program_after["price_currency"]
    for name in (*_LABELS, *PARAMETERS):
        if before.get(name) == after.get(name):
            continue
        shown_before = _text(name, before[name], old_currency) if name in before else NONE
        shown_after = _text(name, after[name], new_currency) if name in after else NONE
        if shown_before != shown_after:
            yield Change(_label(name), shown_before, shown_after)


def _title(phase: Document) -> str:
    return f"{phase['phase_index']}. {phase['name']}"


def _label(name: str) -> str:
    parameter = PARAMETERS.get(name)
    if parameter is None:
        return _LABELS.get(name, name)
    return f"{parameter.label} ({parameter.group})" if _USES[parameter.label] > 1 else parameter.label


def _text(name: str, value: Any, currency: str) -> str:
    parameter = PARAMETERS.get(name)
    if parameter is not None:
        return _parameter_text(parameter, value)
    match name:
        case "price" | "initial_balance":
            return f"{grouped(Decimal(value))} {currency}"
        case "profit_split":
            return f"{plain(Decimal(value) * 100)} %"
        case "phase_type":
            return _PHASE_TYPES[value]
        case _:
            return str(value) or NONE


def _parameter_text(parameter: Parameter, value: Any) -> str:
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if parameter.kind == "choice":
        return parameter.choices.get(value, str(value))
    return f"{value} %" if parameter.kind == "percent" else str(value)
