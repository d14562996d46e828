"""How the tests speak to the Mng surface."""

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client


@dataclass
class Mng:
    client: Client
    secret: str

    def post(self, body: Any, **headers: Any) -> Any:
        """The body as it is when it is bytes or text, else as JSON."""
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = {"HTTP_AUTHORIZATION": f"Bearer {self.secret}", **headers}
        return self.client.post("/api/v1/mng", content, content_type="application/json", **headers)

    def __call__(self, command: str, data: Any = None, **envelope: Any) -> dict[str, Any]:
        """The answer's document; its status must be the HTTP status."""
        response = self.post({"command": command, "extID": "1", "data": {} if data is None else data, **envelope})
        answer: dict[str, Any] = json.loads(response.getvalue())
        assert response["Content-Type"] == "application/json"
        assert answer["status"] == response.status_code
        return answer

    def data(self, command: str, data: Any = None) -> Any:
        """The data of an answer that must be a success."""
        answer = self(command, data)
        assert answer["status"] == 200, answer
        return answer["data"]

    def refusal(self, command: str, data: Any = None) -> list[str]:
        """The fields that an INVALID_DATA answer names."""
        answer = self(command, data)
        assert (answer["status"], answer["error"]) == (400, "INVALID_DATA"), answer
        return [problem["field"] for problem in answer["data"]["errors"]]
