"""When an account may be enabled by hand: only where a challenge trades on it."""

from brokers.models import TradingAccount
from challenges.models import ChallengeStatus, Enrollment
from challenges.services.locking import lock_enrollment
from challenges.services.pausing import taken_out_by


def objection_of_challenges(account: TradingAccount, *, lock: bool) -> str:
    """What a challenge has against enabling the account, in words for staff; empty for nothing.

    An account that was never ordered, such as a payer's, is none of ours.
    """
    enrollment = Enrollment.objects.select_related("challenge").filter(account=account).first()
    if enrollment is None:
        return "No challenge runs on it." if account.order_id is not None else ""
    if lock:
        enrollment = lock_enrollment(enrollment.pk)
    challenge = enrollment.challenge
    if enrollment.status != ChallengeStatus.ACTIVE:
        return f"Its {enrollment} is {enrollment.get_status_display()}."
    if challenge.status != ChallengeStatus.ACTIVE:
        return f"Its {challenge} is {challenge.get_status_display()}."
    if enrollment.is_paused:
        paused = f"Its {enrollment} is paused until the next trading day begins"
        if operation := taken_out_by(enrollment):
            return f"{paused}. It was taken out by hand (operation {operation.pk}): enable it by hand then."
        return f"{paused}, and is enabled then by itself."
    return ""
