"""`/healthz`: this process is alive. `/readyz`: everything that a purchase needs is."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from propdesk.lib.processes.readiness import Readiness


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> JsonResponse:
    """200 with status "ready", or "degraded" while only Redis is away or jobs fail; 503 with "starting" otherwise.

    The checks say what is missing.
    """
    readiness = Readiness(timezone.now())
    response = JsonResponse(
        {"status": readiness.status, "checks": readiness.checks}, status=200 if readiness.ready else 503
    )
    # Django logs each 5xx answer as an error; here it is the plain answer to a question, asked every second or so.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
