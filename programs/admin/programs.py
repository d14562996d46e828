from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse

from programs.admin.deleting import deletion_page
from programs.admin.exchange import export_page, import_page
from programs.admin.forms import PhaseFormSet, ProgramForm
from programs.admin.history import terms_panel, versions_panel
from programs.admin.phases import PhaseInline
from programs.admin.review import NothingChangedError, Review, UnconfirmedError, lead, review_page, review_panels
from programs.admin.starting import address, start_of, starts_panel, templates_page
from programs.models import Program
from programs.services import StaleProgramError, rehearse_program, save_program, set_status
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    Button,
    ChoicesFilter,
    Colour,
    DateRangeFilter,
    Link,
    ModelAdmin,
    Panel,
    count_of,
    display,
    money_column,
    status_column,
    timeline,
)
from propdesk.lib.mng.errors import InvalidDataError, Problem
from propdesk.lib.times import utc_now

COLOURS: dict[int, Colour] = {
    Program.Status.ACTIVE: Colour.GREEN,
    Program.Status.DISABLED: Colour.ORANGE,
    Program.Status.ARCHIVED: Colour.GREY,
}
STATUS = status_column(COLOURS)
RUNNING = 1  # an active challenge, by the numbers of seed 000; challenges are an app above


def _becomes(status: Program.Status, done: str) -> Callable[[Program, Actor, str], str]:
    def run(program: Program, by: Actor, reason: str) -> str:
        set_status(program_id=program.pk, to=status, by=by, now=utc_now(), reason=reason)
        return f"{program} is {done}."

    return run


def _page(name: str, *args: int) -> str:
    return reverse(f"admin:programs_program_{name}", args=args)


BUTTONS = (
    Button(
        name="activate",
        text="Activate",
        explanation="Customers can buy the program from now on.",
        run=_becomes(Program.Status.ACTIVE, "on sale"),
        offered=lambda program: program.status != Program.Status.ACTIVE,
        variant="primary",
        icon="play_arrow",
    ),
    Button(
        name="disable",
        text="Disable",
        explanation="Nobody can buy the program until it is activated again. Running challenges go on unchanged.",
        run=_becomes(Program.Status.DISABLED, "off sale"),
        offered=lambda program: program.status != Program.Status.DISABLED,
        icon="pause",
    ),
    Button(
        name="archive",
        text="Archive",
        explanation="The program is put away: off sale and out of the way. Running challenges go on unchanged.",
        run=_becomes(Program.Status.ARCHIVED, "archived"),
        offered=lambda program: program.status != Program.Status.ARCHIVED,
        icon="archive",
    ),
)


@admin.register(Program)
class ProgramAdmin(ModelAdmin[Program]):
    form = ProgramForm
    inlines = (PhaseInline,)
    buttons = BUTTONS
    list_display = (
        "name",
        money_column("price", currency="price_currency"),
        STATUS,
        "phases",
        "demo_group",
        "running",
        "sort_index",
        "brand",
        "updated_at",
    )
    list_filter = (("status", ChoicesFilter), "brand", "price_currency", ("updated_at", DateRangeFilter))
    search_fields = ("=id", "name", "description", "demo_group")
    search_help_text = "Number, name, description or account group."
    empty_text = "A program is what customers buy: a price and one or more phases. Add the first one."
    warn_unsaved_form = True

    class Media:
        js = ("propdesk/phases.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Program]:
        return super().get_queryset(request).annotate(running_total=count_of(Program, "challenges", status=RUNNING))

    def get_fieldsets(self, request: HttpRequest, obj: Program | None = None) -> Any:
        status = STATUS if obj else "status"
        general = (("name", status), ("price", "price_currency"), ("brand", "sort_index"), "description")
        day = (("day_reset_time", "day_reset_timezone"), "read_version")
        return ((None, {"fields": general}), ("Trading day", {"fields": day}))

    def get_readonly_fields(self, request: HttpRequest, obj: Program | None = None) -> tuple[Any, ...]:
        return (STATUS,) if obj else ()

    def get_form(self, request: HttpRequest, obj: Program | None = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["fields"] = [name for name in ProgramForm.Meta.fields if obj is None or name != "status"]
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.refusal = getattr(request, "refusal", ())
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        start = start_of(request)
        return dict(start.program) if start else {}

    def get_formset_kwargs(self, request: HttpRequest, obj: Program, inline: Any, prefix: str) -> dict[str, Any]:
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        if "data" in kwargs:
            return {**kwargs, "save_as_new": True}
        start = None if obj.pk else start_of(request)
        return {**kwargs, "initial": start.phases} if start else kwargs

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if "_edit" in request.POST:
            context["errors"] = None  # there are none: staff came back from the dry run
        if not context.get("original") and request.method == "GET" and start_of(request) is None:
            context["panels_above"] = [starts_panel(_page("add"), _page("import"))]
        return super().render_change_form(request, context, *args, **kwargs)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page. What the service refuses is undone, and shown at its field in a second pass over the same input.

        An edit that it would take is undone too, and shown as a dry run, until staff confirm what they saw.
        """
        try:
            if "_edit" not in request.POST:
                return super().changeform_view(request, object_id, form_url, extra_context)
            problems: Sequence[Problem] = (Problem("", "Nothing has been saved yet. These are your changes."),)
        except UnconfirmedError as pending:
            return self._review(request, str(object_id), pending)
        except NothingChangedError:
            self.message_user(request, "Nothing was changed, so nothing was saved.", messages.INFO)
            return HttpResponseRedirect(request.get_full_path())
        except InvalidDataError as refusal:
            problems = refusal.problems
        except StaleProgramError:
            text = "Somebody else saved this program after you opened it. Nothing was saved: open it again and redo."
            problems = (Problem("", text),)
        request.refusal = problems  # type: ignore[attr-defined]
        return super().changeform_view(request, object_id, form_url, extra_context)

    def _review(self, request: HttpRequest, object_id: str, pending: UnconfirmedError) -> HttpResponse:
        program = self._program(request, object_id)
        review = Review(
            title=f"Save {program}: dry run",
            lead=lead(pending.rehearsal, program),
            panels=review_panels(pending.rehearsal, program, utc_now()),
            fingerprint=pending.rehearsal.fingerprint,
            program=program,
            again=pending.again,
        )
        return review_page(request, self.admin_site, review)

    def save_model(self, request: HttpRequest, obj: Program, form: Any, change: bool) -> None:
        """Nothing yet: the program is saved together with its phases."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Sequence[Any], change: bool) -> None:
        """Save the whole program; an edit only if this very change was confirmed on the page of the dry run."""
        phases: PhaseFormSet = formsets[0]
        phases.save(commit=False)
        steps = [phase.input(index) for index, phase in enumerate(phases.in_order(), start=1)]
        save = {
            "data": {**form.input(), "steps": steps},
            "by": Actor.of(request.user),
            "now": utc_now(),
            "program_id": form.instance.pk,
            "version": form.cleaned_data.get("read_version") if change else None,
        }
        rehearsal, confirmed = rehearse_program(**save), request.POST.get("confirmed", "")
        if rehearsal.changes_nothing:
            raise NothingChangedError
        # A new program changes nothing for anybody: the dry run is for edits, which meet running challenges.
        if change and confirmed != rehearsal.fingerprint:
            raise UnconfirmedError(rehearsal, again=bool(confirmed))
        form.instance.pk = save_program(**save).pk

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        number = form.instance.versions.order_by("-number").values_list("number", flat=True).first()
        return f"Saved. The terms are version {number}."

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        program = self._program(request, object_id)
        if not self.has_delete_permission(request, program):
            raise PermissionDenied
        return deletion_page(self, request, program)

    def get_urls(self) -> list[URLPattern]:
        pages: tuple[tuple[str, str, Callable[..., HttpResponse]], ...] = (
            ("templates/", "templates", self.templates_view),
            ("import/", "import", self.import_view),
            ("export/", "export", self.export_view),
            ("<int:program_id>/import/", "import_into", self.import_view),
            ("<int:program_id>/export/", "export_one", self.export_view),
        )
        ours = [
            path(route, self.admin_site.admin_view(view), name=f"programs_program_{name}")
            for route, name, view in pages
        ]
        return [*ours, *super().get_urls()]

    def templates_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        return templates_page(request, self.admin_site)

    def import_view(self, request: HttpRequest, program_id: int | None = None) -> HttpResponse:
        target = None if program_id is None else self._program(request, str(program_id))
        if not (self.has_change_permission(request, target) if target else self.has_add_permission(request)):
            raise PermissionDenied
        return import_page(request, self.admin_site, target)

    def export_view(self, request: HttpRequest, program_id: int | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Program.objects.prefetch_related("phases__account_group")
        if program_id is None:
            return export_page(list(rows), "programs.json")
        return export_page([get_object_or_404(rows, pk=program_id)], f"program-{program_id}.json")

    def links(self, request: HttpRequest, row: Program | None) -> Sequence[Link]:
        add, export = self.has_add_permission(request), "Export JSON" if row else "Export all as JSON"
        exports = _page("export_one", row.pk) if row else _page("export")
        imports = _page("import_into", row.pk) if row else _page("import")
        may_import = self.has_change_permission(request, row) if row else add
        return [
            *([Link("Clone", address(_page("add"), clone=row.pk), "content_copy")] if row and add else []),
            *([Link("Start from a template", _page("templates"), "library_books")] if not row and add else []),
            Link(export, exports, "download"),
            *([Link("Import JSON", imports, "upload")] if may_import else []),
        ]

    def _program(self, request: HttpRequest, object_id: str) -> Program:
        program = self.get_object(request, object_id)
        if program is None:
            raise Http404
        return program

    def panels_below(self, request: HttpRequest, row: Program) -> Sequence[Panel]:
        return [terms_panel(row), versions_panel(row), timeline(row, COLOURS)]

    @display(description="phases", ordering="phases_count")
    def phases(self, program: Program) -> int:
        return program.phases_count

    @display(description="running", ordering="running_total")
    def running(self, program: Any) -> int:
        return int(program.running_total)
