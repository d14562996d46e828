"""The one order in which a challenge's rows are locked: challenge, then enrollment."""

from challenges.models import Challenge, Enrollment


def lock_enrollment(enrollment_id: int) -> Enrollment:
    """The enrollment with its challenge, both locked until the caller's transaction ends.

    Raises `Enrollment.DoesNotExist` when it is gone.
    """
    challenge_id = Enrollment.objects.values_list("challenge_id", flat=True).get(pk=enrollment_id)
    # Related rows are joined without a lock: they are shared with other challenges.
    challenges = Challenge.objects.select_related("customer", "program_version").select_for_update(of=("self",))
    challenge = challenges.get(pk=challenge_id)
    enrollment = Enrollment.objects.select_for_update().get(pk=enrollment_id)
    enrollment.challenge = challenge
    return enrollment
