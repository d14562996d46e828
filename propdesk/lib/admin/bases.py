"""The bases of every admin page in PropDesk."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from django.contrib import messages
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import DecimalField, Model, TextField
from django.forms import ChoiceField, Field
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from propdesk.lib.actors import Actor
from propdesk.lib.admin import theme
from propdesk.lib.admin.buttons import Button, ConfirmationForm, Link, Page, ReasonedConfirmationForm, standing_of
from propdesk.lib.admin.panels import Panel
from propdesk.lib.mng.errors import CodedError
from propdesk.lib.money import CURRENCY_DECIMALS
from propdesk.lib.transitions import IllegalTransitionError

M = TypeVar("M", bound=Model)
P = TypeVar("P", bound=Model)
CURRENCY_FIELDS = ("currency", "price_currency")
CURRENCIES = [(code, code) for code in sorted(CURRENCY_DECIMALS)]


class _Inputs:
    """Our own input boxes, on pages and inlines alike."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest | None, **kwargs: Any) -> Field | None:
        if isinstance(db_field, DecimalField):
            kwargs.setdefault("widget", theme.DecimalInput)
        if isinstance(db_field, TextField):
            kwargs.setdefault("widget", theme.Textarea(attrs={"rows": 3}))
        if db_field.name in CURRENCY_FIELDS:
            return ChoiceField(choices=CURRENCIES, initial="USD", widget=theme.Select, help_text=db_field.help_text)
        field: Field | None = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        return field


class StackedInline(_Inputs, theme.StackedInline[M, P], Generic[M, P]):
    """Related rows, one below the other."""


class TabularInline(_Inputs, theme.TabularInline[M, P], Generic[M, P]):
    """Related rows as a table, for a few short columns."""

    hide_title = True


class ModelAdmin(_Inputs, theme.ModelAdmin[M], Generic[M]):
    """A page with panels around the form, and buttons for what may happen to the record."""

    # Records are changed one at a time, each with its reason: no bulk actions.
    actions = None
    list_filter_submit = True
    list_per_page = 50
    compressed_fields = False
    buttons: Sequence[Button] = ()
    # What an empty list says: how the first row comes to be.
    empty_text = ""

    def panels_above(self, request: HttpRequest, row: M) -> Sequence[Panel]:
        """Cards above the form."""
        return ()

    def panels_below(self, request: HttpRequest, row: M) -> Sequence[Panel]:
        """Cards below the form."""
        return ()

    def links(self, request: HttpRequest, row: M | None) -> Sequence[Link]:
        """Pages to go to from a record's page, or from the list (`row` None)."""
        return ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data is not None:
            response.context_data["actions_list"] = self._linked(request, None)
        return response

    def panels_page(
        self,
        request: HttpRequest,
        *,
        title: str,
        intro: str,
        panels: Sequence[Panel],
        back: tuple[str, str] | None = None,
    ) -> HttpResponse:
        """A page of its own that is made of panels only; `back` is an address and its words."""
        context = {"title": title, "intro": intro, "panels": panels, "back": back}
        return self._page(request, "admin/panels_page.html", context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: M | None = None,
    ) -> HttpResponse:
        if obj is not None and obj.pk:
            context["panels_above"] = self.panels_above(request, obj)
            context["panels_below"] = self.panels_below(request, obj)
            context["actions_detail"] = [
                *context.get("actions_detail", []),
                *self._offered(request, obj),
                *self._linked(request, obj),
            ]
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self) -> list[URLPattern]:
        url = path(
            "<path:object_id>/do/<slug:name>/",
            self.admin_site.admin_view(self.button_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_button",
        )
        return [url, *super().get_urls()]

    def button_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Ask (GET), then do (POST) what the button of that name does."""
        row = self.get_object(request, unquote(object_id))
        button = next((button for button in self.buttons if button.name == name), None)
        if row is None or button is None:
            raise Http404
        if not self.has_button_permission(request, button, row):
            raise PermissionDenied
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
        if not button.offered(row):
            self.message_user(request, f"{button.text}: {button.why_not(row)}", messages.WARNING)
            return HttpResponseRedirect(page)
        return self.confirmed(request, button, row, back=page)

    def confirmed(self, request: HttpRequest, button: Button, row: M, *, back: str) -> HttpResponse:
        """The confirmation page; once it is posted, what the button does, and then the page `back`.

        What was decided on a page that no longer holds is not done: the page is shown anew.
        """
        form_class = ReasonedConfirmationForm if button.asks_reason else ConfirmationForm
        # A post that was not made from a page has not been shown anything else.
        standing = standing_of(row)
        posted = request.POST if request.method == "POST" else None
        if posted is not None and posted.get("standing", standing) != standing:
            self.message_user(request, "It has changed since you opened this page: look again.", messages.ERROR)
            form = form_class(initial={"standing": standing, "reason": posted.get("reason", "")})
        else:
            form = form_class(posted, initial={"standing": standing})
        if form.is_valid():
            answer = self._press(request, button, row, form.cleaned_data)
            return HttpResponseRedirect(back) if answer is None else self._shown(request, answer, row, back)
        context = {
            "original": row,
            "title": f"{button.text}: {row}",
            "button": button,
            "about": button.about(row),
            "form": form,
            "page": back,
        }
        return self._page(request, "admin/confirm_action.html", context)

    def _shown(self, request: HttpRequest, answer: Page, row: M, back: str) -> HttpResponse:
        context = {**answer.context, "original": row, "title": answer.title, "page": back}
        return self._page(request, answer.template, context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, context)

    def has_button_permission(self, request: HttpRequest, button: Button, row: M) -> bool:
        """Buttons need the right to change the model, also where its fields are read-only."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def _press(self, request: HttpRequest, button: Button, row: M, asked: dict[str, Any]) -> Page | None:
        """What the button answers, if that is a page. A sentence is kept as a message until it is shown."""
        reason = asked.get("reason", "")
        try:
            done = button.press(row, Actor.of(request.user), reason, asked["token"])
        except (CodedError, IllegalTransitionError) as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
            return None
        self.log_change(request, row, f"{button.text}. {reason}".strip())
        if isinstance(done, Page):
            return done
        self.message_user(request, done, messages.SUCCESS)
        return None

    def _linked(self, request: HttpRequest, row: M | None) -> list[dict[str, Any]]:
        """The links as the theme's drop-down."""
        items = [
            {"title": link.text, "path": link.url, "icon": link.icon, "attrs": {}} for link in self.links(request, row)
        ]
        more = {"title": "More", "items": items, "method_name": "more", "attrs": {}}
        return [{**more, "variant": theme.ActionVariant("default")}] if items else []

    def _offered(self, request: HttpRequest, row: M) -> list[dict[str, Any]]:
        """The buttons in the shape in which the theme shows a page's actions."""
        route = f"admin:{self.opts.app_label}_{self.opts.model_name}_button"
        return [
            {
                "title": button.text,
                "icon": button.icon,
                "variant": theme.ActionVariant(button.variant),
                "attrs": {},
                "path": reverse(route, args=[row.pk, button.name]),
            }
            for button in self.buttons
            if button.offered(row) and self.has_button_permission(request, button, row)
        ]


class ViewOnlyAdmin(ModelAdmin[M], Generic[M]):
    """Ledgers and records that only services write: nothing can be added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: M | None = None) -> Any:
        # Django would ask the form, which asks for the fields that can only be read, which are these.
        return self.fields or [field.name for field in self.model._meta.fields if not field.primary_key]

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> list[Any]:
        return flatten_fieldsets(self.get_fieldsets(request, obj))
