"""Whatever arrives, the answer is documented: never a 5xx, never a status that the design does not name."""

import json
from typing import Any

from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from programs.api.inputs import ProgramInput, StepInput
from propdesk.lib.mng.conditions import OPERATORS
from tests.programs.calls import Mng

DOCUMENTED = {200, 400, 401, 403, 404, 405, 409, 413}

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.integers(-3, 25)
    | st.floats(allow_nan=True)
    | st.text(max_size=20)
    | st.sampled_from(["PROP_DEMO_USD", "PROP_REAL_USD", "USD", "JPY", "17:00", "UTC", "\ud800", "\x00", "%", "🙂"])
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner), max_leaves=8
)
steps = st.dictionaries(st.sampled_from(list(StepInput().fields)), anything, max_size=12)
programs = st.dictionaries(
    st.sampled_from([*ProgramInput().fields, "id", "version"]), anything, max_size=12
) | st.fixed_dictionaries({"steps": st.lists(steps, max_size=3)}, optional={"id": st.integers(-1, 5), "name": anything})
fields = st.sampled_from(["id", "price", "name", "created_time", "status", "phases_count", "id__in", "?"])
conditions = st.lists(
    st.tuples(fields, st.sampled_from([*OPERATORS, "~"]), anything) | st.tuples(fields, anything), max_size=3
)
CONDITIONS = ("where", "whereNot", "whereIn", "whereNotIn", "whereBetween", "whereNotBetween", "orderBy")
page: dict[str, st.SearchStrategy[Any]] = {
    "limit": st.integers(1, 50) | scalars,
    "offset": st.integers(0, 2**63) | scalars,
}
tables = st.fixed_dictionaries(page, optional=dict.fromkeys(CONDITIONS, conditions | anything))


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    command=st.sampled_from(
        ["MngCreatePropProgram", "MngUpdatePropProgram", "MngGetPropProgram", "MngDeletePropProgram"]
    ),
    data=programs | anything,
)
def test_program_commands_answer_any_data(groups: Any, mng: Mng, command: str, data: Any) -> None:
    check(mng, command, data)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=tables)
def test_the_table_answers_any_request(mng: Mng, data: Any) -> None:
    check(mng, "MngGetPropProgramsByFilter", data)


def check(mng: Mng, command: str, data: Any) -> None:
    mng.client = Client(raise_request_exception=False)
    response = mng.post({"command": command, "extID": "1", "data": data})

    answer = json.loads(response.getvalue())
    assert response.status_code in DOCUMENTED, answer
    assert answer["status"] == response.status_code
