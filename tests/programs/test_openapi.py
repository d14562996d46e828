"""The OpenAPI document: valid, complete, with the seeds' own examples, and readable without any other host."""

import json
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from programs.api import examples
from propdesk.lib.mng.commands import all_commands
from tests.programs.conftest import seed

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Client().get("/api/schema?format=json").content)
    return schema


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_the_document_is_valid_and_nothing_in_it_is_guessed(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml"))


def test_every_operation_declares_its_refusals(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        declared = set(operation["responses"])
        expected = {"400", "401", "403", "405", "406", "429"}
        if "requestBody" in operation:
            expected |= {"404", "409", "413", "415"}
        if "{" in name:
            expected.add("404")
        assert expected <= declared, name
        assert any(status.startswith("2") for status in declared), name
        assert operation["responses"]["429"]["headers"]["Retry-After"]["schema"]["type"] == "integer"


def test_the_mng_operation_takes_every_command_by_every_name(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    requests = [schemas[choice["$ref"].rpartition("/")[2]] for choice in schemas["MngRequest"]["oneOf"]]
    patterns = [request["properties"]["command"]["pattern"] for request in requests]

    for command in all_commands():
        for name in (command.name, *command.aliases):
            assert len([pattern for pattern in patterns if re.fullmatch(pattern, name)]) == 1, name


def test_the_examples_are_the_seeds(document: dict[str, Any]) -> None:
    content = document["paths"]["/api/v1/mng"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    shown = {example["value"]["command"]: example["value"] for example in content.values()}

    assert shown["MngUpdatePropProgram"] == seed("update_request")
    assert shown["MngGetPropProgramsByFilter"] == seed("by_filter_request")
    assert examples.BY_FILTER[1] == seed("by_filter_response_data")
    answered = json.loads(json.dumps(examples.UPDATE[1]))
    # The one field that the newer page no longer prints, and that the older one does.
    assert answered["program"].pop("demo_group") == "PROP_DEMO_USD"
    assert answered == seed("update_response_data")


def test_the_pages_ask_no_other_host() -> None:
    page = Client().get("/api/docs").content.decode()

    loaded = re.findall(r"""(?:src|href|url)\s*[=:(]\s*["']?([^"')\s>]+)""", page)
    assert any(address.startswith("/static/drf_spectacular_sidecar/") for address in loaded)
    assert [address for address in loaded if re.match(r"(?:https?:)?//", address)] == []
