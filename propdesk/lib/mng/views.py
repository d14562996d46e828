from django.http.response import HttpResponseBase
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from propdesk.lib.access.models import ApiToken
from propdesk.lib.mng.envelope import dispatch, ext_id_of, failure
from propdesk.lib.mng.errors import coded
from propdesk.lib.mng.renderers import json_response
from propdesk.lib.mng.schema import MngSchema
from propdesk.lib.times import utc_now


class MngView(APIView):
    """Every `Mng*` command. The HTTP status repeats the `status` of the answer.

    The token is sent in the Authorization header (`Bearer TOKEN` or the token alone) or as `__token` in the document.
    """

    # A token may also be in the body, so that `dispatch` is the one who asks for it.
    permission_classes = (AllowAny,)

    schema = MngSchema()

    def post(self, request: Request) -> HttpResponseBase:
        token = request.auth if isinstance(request.auth, ApiToken) else None
        answer = dispatch(request.data, clock=utc_now, token=token)
        return json_response(answer.body, status=answer.status, headers=answer.headers)

    def handle_exception(self, exc: Exception) -> Response:
        """What fails before the document is read (token, JSON, size) is answered in the envelope too."""
        answer = failure(coded(exc), self._ext_id())
        return Response(answer.body, status=answer.status, headers=answer.headers)

    def _ext_id(self) -> str:
        """The caller's own id, where the document can be read in spite of what failed."""
        try:
            return ext_id_of(self.request.data)
        except Exception:  # noqa: BLE001  (the request has failed already, and is answered for that)
            return ""
