from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from propdesk.lib.access.sessions import Session
from propdesk.lib.access.signing_in import sign_in
from propdesk.lib.mng.inputs import CommandInput, TextField
from propdesk.lib.times import utc_now


class SignInInput(CommandInput):
    username = TextField(max_length=150)
    password = TextField(max_length=1000)
    session = serializers.ChoiceField(choices=[session.documented for session in Session], required=False)


class SignInOutput(serializers.Serializer[Any]):
    token = serializers.CharField()
    session = serializers.CharField()
    expires_at = serializers.DateTimeField()


class SignInView(APIView):
    """A token for a username and password, good for 12 hours. Ten failures lock the name for 15 minutes."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(request=SignInInput, responses=SignInOutput)
    def post(self, request: Request) -> Response:
        given = SignInInput(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        session = Session.named(values["session"]) if "session" in values else None
        signed_in = sign_in(username=values["username"], password=values["password"], session=session, now=utc_now())
        token = signed_in.token
        return Response(
            {
                "token": signed_in.secret,
                "session": Session(token.session).documented,
                "expires_at": token.expires_at,
            }
        )
