"""How far an enrollment is from the lines that decide about it, in money and as a share of the allowance."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import format_html

from challenges.models import ChallengeStatus, Enrollment, EnrollmentState
from challenges.services.standing import remaining
from programs.services import phase_terms
from programs.terms import RuleTerms
from propdesk.lib.admin import NOTHING, Colour, percent
from propdesk.lib.money import as_text, cents

LOW, LOWER = Decimal("0.4"), Decimal("0.2")


@dataclass(frozen=True, slots=True)
class Distance:
    """`left`: money between the tested value and the level; negative beyond it. `share`: of the allowance, 0..1."""

    name: str
    level: Decimal
    left: Decimal
    share: Decimal

    @property
    def colour(self) -> Colour:
        if self.share > LOW:
            return Colour.GREEN
        return Colour.ORANGE if self.share > LOWER else Colour.RED


def distances(enrollment: Enrollment, terms: RuleTerms) -> dict[str, Distance]:
    """The distances to the loss levels that are on, by rule name; none before the first state."""
    state: EnrollmentState | None = getattr(enrollment, "running_state", None)
    if state is None:
        return {}
    left = remaining(state.running_state(), terms)
    known = (
        ("daily_loss", "Daily loss", state.daily_loss, left.daily_loss, state.daily_loss_pct, terms.max_daily_loss_pct),
        ("total_loss", "Total loss", state.total_loss, left.total_loss, state.total_loss_pct, terms.max_total_loss_pct),
    )
    return {
        rule: Distance(name, level, amount, _share_left(used, limit))
        for rule, name, level, amount, used, limit in known
        if level is not None and amount is not None
    }


def rules_of(enrollment: Enrollment) -> RuleTerms:
    """The pinned rules that judge the enrollment."""
    return phase_terms(enrollment.challenge.program_version, enrollment.phase_index).rules


def current(enrollments: Iterable[Enrollment]) -> Enrollment | None:
    """The open enrollment, or the last one."""
    rows = sorted(enrollments, key=lambda row: row.pk)
    is_open = (ChallengeStatus.PENDING, ChallengeStatus.ACTIVE)
    return next((row for row in rows if row.status in is_open), rows[-1] if rows else None)


def distance_bar(distance: Distance | None) -> str:
    """A small bar of what is left of the allowance, with the amount."""
    if distance is None:
        return NOTHING
    return format_html(
        '<span class="pd-bar pd-{}" title="level {}, {} of the allowance left"><i><b style="width:{}%"></b></i>'
        '<span class="pd-figure">{}</span></span>',
        distance.colour.value,
        as_text(distance.level),
        percent(distance.share * 100),
        int(distance.share * 100),
        as_text(cents(distance.left)),
    )


def _share_left(used: Decimal, limit: Decimal) -> Decimal:
    if limit <= 0:
        return Decimal(1)
    return min(Decimal(1), max(Decimal(0), 1 - used / limit))
