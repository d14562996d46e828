"""How the OpenAPI document describes us: our input fields, our refusals, and one request for each command."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, PolymorphicProxySerializer, inline_serializer
from rest_framework import serializers

from propdesk.lib.mng.commands import Command, all_commands
from propdesk.lib.mng.inputs import INT64_MAX, INT64_MIN

# What each refusal means; the codes are those of `propdesk.lib.mng.errors`.
REFUSALS = {
    400: "INVALID_DATA, or a more telling code: what is wrong is named field by field.",
    401: "UNAUTHORIZED: no token, or one that is unknown, expired or revoked.",
    403: "PERMISSION_DENIED: not open to this session type.",
    404: "NOT_FOUND.",
    405: "METHOD_NOT_ALLOWED, or UNKNOWN_COMMAND.",
    406: "NOT_ACCEPTABLE: the answer is JSON.",
    409: "CONFLICT, or a more telling code: the state does not allow it.",
    413: "TOO_LARGE: a body over 2 MiB.",
    415: "UNSUPPORTED_MEDIA_TYPE: the body must be JSON.",
    429: "TOO_MANY_REQUESTS: come back after `Retry-After` seconds.",
}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait."}}


class ProblemOutput(serializers.Serializer[Any]):
    """One thing that is wrong with the input."""

    field = serializers.CharField(help_text="Its path, such as `steps[1].account_group`.")
    message = serializers.CharField()


class RefusalOutput(serializers.Serializer[Any]):
    """Why not."""

    error = serializers.CharField(help_text="For machines, such as `INVALID_DATA`.")
    message = serializers.CharField(help_text="For people.")
    errors = ProblemOutput(many=True, required=False)  # type: ignore[assignment]


class MngRefusal(serializers.Serializer[Any]):
    """The failure envelope."""

    extID = serializers.CharField()  # noqa: N815  (the documented name)
    status = serializers.IntegerField()
    error = serializers.CharField()
    message = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]


class CodedSchema(AutoSchema):
    """Every operation of the REST surfaces, with the refusals that it may answer."""

    refusal: type[serializers.Serializer[Any]] = RefusalOutput

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status, description in REFUSALS.items():
            if str(status) not in bodies and self._may_answer(status):
                response = OpenApiResponse(self.refusal, description)
                bodies[str(status)] = self._get_response_for_code(response, str(status))  # type: ignore[no-untyped-call]
        if "429" in bodies:
            bodies["429"] |= {"headers": _RETRY_AFTER}
        return bodies

    def _may_answer(self, status: int) -> bool:
        has_body = self.method in {"POST", "PUT", "PATCH"}
        match status:
            case 413 | 415:
                return has_body
            case 404:
                return "{" in self.path or has_body
            case 409:
                return has_body or self.method == "DELETE"
            case _:
                return True


class MngSchema(CodedSchema):
    """The one operation that carries every command. It is read late, when all apps have declared theirs."""

    refusal = MngRefusal

    def get_operation_id(self) -> str:
        return "mng"

    def get_request_serializer(self) -> Any:
        return PolymorphicProxySerializer("MngRequest", [_request(command) for command in all_commands()], None)

    def get_response_serializers(self) -> Any:
        answer = inline_serializer(
            "MngAnswer",
            {
                "extID": serializers.CharField(),
                "status": serializers.IntegerField(min_value=200, max_value=200),
                "data": serializers.DictField(),
            },
        )
        return {200: answer}

    def get_examples(self) -> list[OpenApiExample]:
        examples = []
        for command in all_commands():
            for number, (given, answered) in enumerate(command.examples, start=1):
                name = f"{command.name} {number}" if len(command.examples) > 1 else command.name
                request = {"command": command.name, "extID": "1", "data": given}
                answer = {"extID": "1", "status": 200, "data": answered}
                examples += [
                    OpenApiExample(name, value=request, request_only=True),
                    OpenApiExample(f"{name}: answer", value=answer, response_only=True, status_codes=["200"]),
                ]
        return examples


def _request(command: Command) -> serializers.Serializer[Any]:
    names = "|".join((command.name, *command.aliases))
    return inline_serializer(
        f"{command.name}Request",
        {
            "command": serializers.RegexField(f"^({names})$", help_text=command.name),
            "extID": serializers.CharField(required=False, allow_blank=True, help_text="Comes back with the answer."),
            "data": command.input(),
            "__token": serializers.CharField(required=False, help_text="Instead of the Authorization header."),
        },
    )


class WholeNumberSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "propdesk.lib.mng.inputs.WholeNumberField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        bounds = {"minimum": self.target.minimum, "maximum": self.target.maximum}
        unbounded = {"minimum": INT64_MIN, "maximum": INT64_MAX}
        return {"type": "integer", "format": "int64", **(bounds if bounds != unbounded else {})}


class NumberSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "propdesk.lib.mng.inputs.NumberField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "number", "format": "double"}


class FlagSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "propdesk.lib.mng.inputs.FlagField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "boolean"}
