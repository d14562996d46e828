from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import issue_token
from propdesk.lib.actors import system
from propdesk.lib.mng.errors import PermissionDeniedError
from propdesk.lib.times import utc_now


class Command(BaseCommand):
    help = "Issue an API token that does not expire, and print it. It is stored as a digest: it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("session", choices=[session.documented for session in Session])
        parser.add_argument("--name", default="", help="what the token is for, such as 'CRM sync'")

    def handle(self, *, username: str, session: str, name: str, **options: Any) -> str:
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username!r}.")
        try:
            _, secret = issue_token(
                user=user, session=Session.named(session), name=name, by=system("issue_token"), now=utc_now()
            )
        except PermissionDeniedError as error:
            raise CommandError(f"{error} Put the user into the Django group of that session first.") from None
        return secret
