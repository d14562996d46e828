"""What Django answers outside any view: JSON for programs that call us, a page for people."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views import defaults

from propdesk.lib.mng.errors import CodedError, InternalError, NotFoundError, rest_body
from propdesk.lib.mng.renderers import to_json

JSON_PATHS = ("/api/", "/client/")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if request.path.startswith(JSON_PATHS):
        return _json(NotFoundError("There is nothing at this address."))
    return defaults.page_not_found(request, exception)


def internal_error(request: HttpRequest) -> HttpResponseBase:
    return _json(InternalError()) if request.path.startswith(JSON_PATHS) else defaults.server_error(request)


def _json(error: CodedError) -> HttpResponse:
    return HttpResponse(to_json(rest_body(error)), status=error.status, content_type="application/json")
