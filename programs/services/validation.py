"""What a program must be, each rule with its own message and the path of the field that breaks it."""

from collections.abc import Iterator
from decimal import Decimal

from brokers.models import AccountMode
from programs.models import MAX_PRICE, PhaseType
from programs.services.drafts import ProgramDraft, StepDraft
from programs.terms import PARAMETERS, checked
from propdesk.lib.mng.errors import InvalidDataError, Problem
from propdesk.lib.money import CURRENCY_DECIMALS, fits_currency

MAX_STEPS = 20
SPLIT_DECIMALS = 8


def validate(draft: ProgramDraft) -> None:
    """Raises InvalidDataError naming everything that is wrong. Rule parameters are brought to their own types."""
    problems = [
        *_program_problems(draft),
        *_demo_group_problems(draft),
        *_order_problems(draft),
        *(
            problem
            for index, step in enumerate(draft.steps)
            for problem in _step_problems(draft, step, f"steps[{index}]")
        ),
    ]
    if problems:
        raise InvalidDataError(problems)


def _program_problems(draft: ProgramDraft) -> Iterator[Problem]:
    fields = draft.fields
    for name in ("brand", "name"):
        if not str(fields[name]).strip():
            yield Problem(name, "May not be empty.")
    yield from _price_problems(fields["price"], fields["price_currency"])
    for name in ("day_reset_time", "day_reset_timezone"):
        try:
            fields[name] = checked(PARAMETERS[name], fields[name])
        except ValueError as error:
            yield Problem(name, _sentence(error))


def _price_problems(price: Decimal, currency: str) -> Iterator[Problem]:
    if currency not in CURRENCY_DECIMALS:
        yield Problem("price_currency", f"{currency!r} is not a currency that programs may be sold in.")
    if price is None or not price.is_finite() or not 0 < price <= MAX_PRICE:
        yield Problem("price", f"Must be above 0 and at most {MAX_PRICE}.")
    elif currency in CURRENCY_DECIMALS and not fits_currency(price, currency):
        yield Problem("price", f"{currency} has {CURRENCY_DECIMALS[currency]} decimals.")


def _demo_group_problems(draft: ProgramDraft) -> Iterator[Problem]:
    if draft.demo_group is None:
        return
    first = draft.first_evaluation
    expected = first.account_group if first else ""
    if draft.demo_group != expected:
        yield Problem("demo_group", f"Contradicts the first evaluation step, whose group is {expected!r}.")


def _order_problems(draft: ProgramDraft) -> Iterator[Problem]:
    count = len(draft.steps)
    if not 1 <= count <= MAX_STEPS:
        yield Problem("steps", f"A program has 1 to {MAX_STEPS} steps.")
        return
    seen: set[int] = set()
    for position, step in enumerate(draft.steps):
        if not 1 <= step.phase_index <= count:
            yield Problem(f"steps[{position}].phase_index", f"Must be 1 to {count}, without gaps.")
        elif step.phase_index in seen:
            yield Problem(f"steps[{position}].phase_index", f"{step.phase_index} appears twice.")
        seen.add(step.phase_index)
    yield from _funded_problems(draft)


def _funded_problems(draft: ProgramDraft) -> Iterator[Problem]:
    last = max(step.phase_index for step in draft.steps)
    funded = [(position, step) for position, step in enumerate(draft.steps) if step.phase_type == PhaseType.FUNDED]
    for position, _ in funded[1:]:
        yield Problem(f"steps[{position}].phase_type", "A program has at most one funded step.")
    if len(funded) == 1 and funded[0][1].phase_index != last:
        yield Problem(f"steps[{funded[0][0]}].phase_type", "The funded step must be the last one.")


def _step_problems(draft: ProgramDraft, step: StepDraft, path: str) -> Iterator[Problem]:
    if not step.name.strip():
        yield Problem(f"{path}.name", "May not be empty.")
    if step.phase_type not in PhaseType.values:
        yield Problem(f"{path}.phase_type", "Must be 0 (evaluation) or 1 (funded).")
    yield from _group_problems(draft, step, f"{path}.account_group")
    yield from _split_problems(step, f"{path}.profit_split")
    for name, value in step.rules.items():
        try:
            step.rules[name] = checked(PARAMETERS[name], value)
        except ValueError as error:
            yield Problem(f"{path}.{name}", _sentence(error))


def _group_problems(draft: ProgramDraft, step: StepDraft, path: str) -> Iterator[Problem]:
    if not step.account_group:
        yield Problem(path, "An account group is required.")
        return
    group = draft.groups.get(step.account_group)
    if group is None:
        yield Problem(path, f"There is no account group {step.account_group!r}.")
        return
    wanted = AccountMode.REAL if step.phase_type == PhaseType.FUNDED else AccountMode.DEMO
    if group.mode != wanted:
        phase = "A funded" if wanted == AccountMode.REAL else "An evaluation"
        yield Problem(path, f"{phase} step needs a {wanted.label} group; {group.name} is {group.get_mode_display()}.")
    if group.currency != draft.fields["price_currency"]:
        yield Problem(path, f"{group.name} is in {group.currency}, the program in {draft.fields['price_currency']}.")
    if step.account_group != step.saved_group and not group.is_enabled:
        yield Problem(path, f"{group.name} is disabled.")


def _split_problems(step: StepDraft, path: str) -> Iterator[Problem]:
    split = step.profit_split
    if not split.is_finite() or not 0 <= split <= 1:
        yield Problem(path, "Must be between 0 and 1: 0.8 is 80 %.")
    elif split != round(split, SPLIT_DECIMALS):
        yield Problem(path, f"Has more than {SPLIT_DECIMALS} decimals.")
    elif split and step.phase_type != PhaseType.FUNDED:
        yield Problem(path, "Only a funded step has a profit split.")


def _sentence(error: ValueError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
