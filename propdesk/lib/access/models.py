from django.conf import settings
from django.db import models

from propdesk.lib.access.sessions import Session


class ApiToken(models.Model):
    """An API token. Only its SHA-256 is stored; the token itself is shown once, when it is issued."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    session = models.SmallIntegerField(
        choices=[(session.value, session.documented) for session in Session],
        help_text="Staff sessions reach the Mng commands, a customer session only its own rows.",
    )
    name = models.CharField(max_length=100, blank=True, help_text="What this token is for, such as 'CRM sync'.")
    prefix = models.CharField(max_length=12, help_text="The first characters, to recognise a token by.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    issued_by = models.CharField(max_length=150, default="", editable=False)
    revoked_by = models.CharField(max_length=150, default="", blank=True, editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: it does not expire.")
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.prefix}… ({Session(self.session).documented})"


class TokenAllowance(models.Model):
    """Until when a token's requests are used up; see `limits`. UNLOGGED, without a foreign key: only a count."""

    token_id = models.BigIntegerField(primary_key=True)
    spent_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"token {self.token_id}"


class SignInAttempts(models.Model):
    """Failed password attempts for one username, known or not: too many lock it for a while."""

    username = models.CharField(max_length=150, unique=True)
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "sign-in attempts"

    def __str__(self) -> str:
        return f"{self.username}: {self.failures}"
