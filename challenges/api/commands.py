"""The challenge commands of the Mng surface, each declared once. Source: api-facts 5.6 and 5.7."""

from collections.abc import Mapping
from typing import Any

from challenges.api.rows import details_json
from challenges.models import Challenge
from propdesk.lib.mng.commands import Caller, Command
from propdesk.lib.mng.errors import NotFoundError
from propdesk.lib.mng.inputs import CommandInput, WholeNumberField
from propdesk.lib.mng.table import Column, Table, TableInput, UnixSeconds

CHALLENGES = Table(
    [
        Column("id", "int", "id"),
        Column("purchase_id", "int", "purchase_id"),
        Column("program_id", "int", "program_id"),
        Column("program_name", "string", "program__name", filterable=False),
        Column("customer_id", "int", "customer_id"),
        Column("account_login", "int", "account_login"),
        Column("current_phase_index", "int", "current_phase_index"),
        Column("status", "int", "status"),
        Column("start_time", "int64", UnixSeconds("started_at")),
        Column("end_time", "int64", UnixSeconds("ended_at")),
        Column("created_time", "int64", UnixSeconds("created_at")),
        Column("updated_time", "int64", UnixSeconds("updated_at")),
    ]
)


class ChallengeIdInput(CommandInput):
    id = WholeNumberField(minimum=1)


def _get(data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    challenge = Challenge.objects.for_details().filter(pk=data["id"]).first()
    if challenge is None:
        raise NotFoundError(f"There is no challenge {data['id']}.")
    return details_json(challenge)


def _by_filter(data: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    return CHALLENGES.read(Challenge.objects.all(), data)


COMMANDS = (
    Command("MngGetPropChallenge", ChallengeIdInput, _get),
    # The first spelling is the documented one; servers take both.
    Command("MngGetPropChallangesByFilter", TableInput, _by_filter, aliases=("MngGetPropChallengesByFilter",)),
)
