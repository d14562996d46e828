"""Who may do what: users, their groups (which carry the session types) and API tokens."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import issue_token, revoke_token, sessions_of
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    AdminPasswordChangeForm,
    Button,
    ChoicesFilter,
    Colour,
    ModelAdmin,
    UserChangeForm,
    UserCreationForm,
    count_of,
    display,
    label,
    link_column,
)
from propdesk.lib.times import utc_now

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User], ModelAdmin[User]):
    form: Any = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "group_names", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    empty_text = "Add a user, then put them into the group of what they do."

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @display(description="groups")
    def group_names(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or NOTHING


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin[Group]):
    list_display = ("name", "carries", "users_count")
    empty_text = "The six session groups are created with the database."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).annotate(users_total=count_of(Group, "user"))

    @display(description="carries the session")
    def carries(self, group: Group) -> str:
        return next((session.documented for session in Session if session.group == group.name), NOTHING)

    @display(description="users", ordering="users_total")
    def users_count(self, group: Any) -> int:
        return int(group.users_total)


class TokenForm(forms.ModelForm[ApiToken]):
    """What a new token is for. Its secret is made by the service and shown once."""

    days = forms.IntegerField(
        label="Valid for, days", required=False, min_value=1, max_value=3650, help_text="Empty: it does not expire."
    )

    class Meta:
        model = ApiToken
        fields = ("user", "session", "name")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or {}
        user, session = cleaned.get("user"), cleaned.get("session")
        if user and session and Session(session) not in sessions_of(user):
            group = Session(session).group
            raise ValidationError({"session": f"{user} is not in the group {group}. Add them to it first."})
        return cleaned


def _revoke(token: ApiToken, by: Actor, reason: str) -> str:
    revoke_token(token=token, by=by, now=utc_now())
    return f"The token {token.prefix}… is revoked; the next call with it is refused."


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin[ApiToken]):
    form = TokenForm
    list_display = (
        "prefix",
        "name",
        link_column("user"),
        "session",
        "state",
        "issued_by",
        "last_used_at",
        "expires_at",
    )
    list_select_related = ("user",)
    list_filter = (("session", ChoicesFilter),)
    search_fields = ("name", "prefix", "user__username")
    autocomplete_fields = ("user",)
    empty_text = "Issue a token for every system that calls the API; its secret is shown once."
    add_fieldsets = ((None, {"fields": ("user", "session", ("name", "days"))}),)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("prefix", "state"),
                    ("user", "session"),
                    ("name", "issued_by"),
                    ("created_at", "expires_at", "last_used_at"),
                    ("revoked_at", "revoked_by"),
                )
            },
        ),
    )
    buttons = (
        Button(
            name="revoke",
            text="Revoke",
            explanation="The token stops working at once and for good. Systems that use it need a new one.",
            run=_revoke,
            offered=lambda token: token.revoked_at is None,
            variant="danger",
            icon="block",
        ),
    )

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        return ("state", "issued_by", "revoked_by") if obj else ()

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        days = form.cleaned_data.get("days")
        token, secret = issue_token(
            user=obj.user,
            session=Session(obj.session),
            name=obj.name,
            by=Actor.of(request.user),
            now=utc_now(),
            lifetime=timedelta(days=days) if days else None,
        )
        obj.pk, obj.prefix, obj.created_at = token.pk, token.prefix, token.created_at
        obj.secret = secret  # type: ignore[attr-defined]

    @display(description="state")
    def state(self, token: ApiToken) -> str:
        if token.revoked_at:
            return label("revoked", Colour.RED)
        if token.expires_at and token.expires_at <= utc_now():
            return label("expired", Colour.ORANGE)
        return label("live", Colour.GREEN)

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        # Shown in the answer itself: a redirect would have to keep the secret in a cookie or the session.
        # No cache keeps it either: the admin marks all its pages no-store.
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Token issued",
            "token": obj,
            "secret": getattr(obj, "secret", ""),
        }
        return TemplateResponse(request, "admin/token_issued.html", context)
