"""What the statuses of challenges and the actions of breaches look like."""

from challenges.models import Breach, ChallengeStatus
from propdesk.lib.admin import Colour, label

STATUS: dict[int, Colour] = {
    ChallengeStatus.PENDING: Colour.GREY,
    ChallengeStatus.ACTIVE: Colour.BLUE,
    ChallengeStatus.PASSED: Colour.GREEN,
    ChallengeStatus.FAILED: Colour.RED,
    ChallengeStatus.CANCELLED: Colour.GREY,
}
ACTION = {
    Breach.Action.FAIL: Colour.RED,
    Breach.Action.PAUSE: Colour.ORANGE,
    Breach.Action.FLAG: Colour.ORANGE,
}


def action_label(breach: Breach) -> str:
    """What the breach led to."""
    return label(breach.get_action_display(), ACTION[Breach.Action(breach.action)])


def rule_name(rule: str) -> str:
    """`daily_loss` for people: daily loss."""
    return rule.replace("_", " ")
