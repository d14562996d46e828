"""JSON out: orjson, with Decimals as the doubles that the API documents, and big pages of rows in pieces."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import BaseRenderer

from propdesk.lib.mng.rows import JsonDocument


def to_json(value: Any) -> bytes:
    """UTF-8 JSON. Decimals print as the nearest double, datetimes as ISO 8601, `Rows` as an array of arrays."""
    return b"".join(JsonDocument(value, _default).pieces())


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponseBase:
    """The value as an answer over HTTP, streamed when it holds a big page: its pieces are never joined."""
    document = JsonDocument(value, _default)
    kind = StreamingHttpResponse if document.has_rows else HttpResponse
    return kind(document.pieces(), status=status, headers=headers, content_type="application/json")


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class OrjsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else to_json(data)
