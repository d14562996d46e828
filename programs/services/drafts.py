"""A program as somebody wants it to be: read from the row, changed by the input, then judged as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from brokers.models import AccountGroup
from programs.models import Phase, PhaseType, Program
from programs.rule_fields import phase_parameters
from programs.terms import PARAMETERS

PROGRAM_FIELDS = (
    "brand", "name", "description", "price", "price_currency", "sort_index", "day_reset_time", "day_reset_timezone",
)  # fmt: skip
STEP_FIELDS = ("phase_index", "phase_type", "name", "account_group", "profit_split")
RULE_FIELDS = tuple(parameter.name for parameter in phase_parameters())


@dataclass(slots=True)
class StepDraft:
    """One step; `account_group` is the group's name, `""` when the input named none.

    `saved_group` is the group that the step has in the database, `""` for a new step.
    """

    phase_index: int
    phase_type: int
    name: str
    account_group: str
    profit_split: Decimal
    rules: dict[str, Any] = field(default_factory=dict)
    saved_group: str = ""

    @classmethod
    def of_input(cls, step: Mapping[str, Any]) -> "StepDraft":
        return cls(
            phase_index=step.get("phase_index", 0),
            phase_type=step.get("phase_type", PhaseType.EVALUATION),
            name=step.get("name", ""),
            account_group=step.get("account_group", ""),
            profit_split=Decimal(step.get("profit_split") or 0),
            rules={name: step[name] for name in RULE_FIELDS if name in step},
        )

    @classmethod
    def of_row(cls, phase: Phase) -> "StepDraft":
        return cls(
            phase_index=phase.phase_index,
            phase_type=phase.phase_type,
            name=phase.name,
            account_group=phase.account_group.name,
            profit_split=phase.profit_split,
            rules={name: getattr(phase, name) for name in RULE_FIELDS},
            saved_group=phase.account_group.name,
        )


@dataclass(slots=True)
class ProgramDraft:
    """`fields` holds every program field; `groups` the account groups that the steps name, as far as they exist.

    `demo_group` is what the input said of it, None when it said nothing.
    """

    fields: dict[str, Any]
    steps: list[StepDraft]
    demo_group: str | None
    steps_replaced: bool
    groups: dict[str, AccountGroup] = field(default_factory=dict)

    @property
    def first_evaluation(self) -> StepDraft | None:
        evaluation = [step for step in self.steps if step.phase_type == PhaseType.EVALUATION]
        return min(evaluation, key=lambda step: step.phase_index, default=None)


def draft_of(program: Program, data: Mapping[str, Any]) -> ProgramDraft:
    """The program with the input put in; nothing is written and nothing is judged yet."""
    is_new = program.pk is None
    replaced = "steps" in data or is_new
    if replaced:
        steps = [StepDraft.of_input(step) for step in data.get("steps", ())]
    else:
        steps = [StepDraft.of_row(phase) for phase in program.phases.select_related("account_group")]
    draft = ProgramDraft(
        fields={name: data.get(name, getattr(program, name)) for name in PROGRAM_FIELDS},
        steps=steps,
        demo_group=data.get("demo_group"),
        steps_replaced=replaced,
    )
    if isinstance(draft.fields["price"], int):
        draft.fields["price"] = Decimal(draft.fields["price"])
    _fill_groups(draft, program.demo_group)
    names = {step.account_group for step in draft.steps}
    draft.groups = {group.name: group for group in AccountGroup.objects.filter(name__in=names)}
    return draft


def _fill_groups(draft: ProgramDraft, demo_group_before: str) -> None:
    """`demo_group` (V1) serves the evaluation steps that name no group; alone on an update it re-points all of them."""
    fallback = demo_group_before if draft.demo_group is None else draft.demo_group
    repoint = not draft.steps_replaced and draft.demo_group is not None
    for step in draft.steps:
        if step.phase_type == PhaseType.EVALUATION and (repoint or not step.account_group):
            step.account_group = fallback


def default_of(name: str) -> Any:
    return PARAMETERS[name].default
