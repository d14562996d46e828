from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from programs.admin.forms import PhaseFormSet, ProgramForm
from programs.admin.history import terms_panel, versions_panel
from programs.admin.phases import PhaseInline
from programs.models import Program
from programs.services import (
    OperationsInFlightError,
    StaleProgramError,
    delete_program,
    preview_deletion,
    save_program,
    set_status,
)
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    Button,
    ChoicesFilter,
    Colour,
    DateRangeFilter,
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

    def get_formset_kwargs(self, request: HttpRequest, obj: Program, inline: Any, prefix: str) -> dict[str, Any]:
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        return {**kwargs, "save_as_new": True} if "data" in kwargs else kwargs

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page. What the service refuses is undone, and shown at its field in a second pass over the same input."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except InvalidDataError as refusal:
            problems = refusal.problems
        except StaleProgramError:
            text = "Somebody else saved this program after you opened it. Nothing was saved: open it again and redo."
            problems = (Problem("", text),)
        request.refusal = problems  # type: ignore[attr-defined]
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Program, form: Any, change: bool) -> None:
        """Nothing yet: the program is saved together with its phases."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Sequence[Any], change: bool) -> None:
        phases: PhaseFormSet = formsets[0]
        phases.save(commit=False)
        steps = [phase.input(index) for index, phase in enumerate(phases.in_order(), start=1)]
        saved = save_program(
            data={**form.input(), "steps": steps},
            by=Actor.of(request.user),
            now=utc_now(),
            program_id=form.instance.pk,
            version=form.cleaned_data.get("read_version") if change else None,
        )
        form.instance.pk = saved.pk

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        number = form.instance.versions.order_by("-number").values_list("number", flat=True).first()
        return f"Saved. The terms are version {number}."

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        refusal = "Say why the program is deleted."
        if request.method != "POST" or request.POST.get("reason", "").strip():
            try:
                return super().delete_view(request, object_id, extra_context)
            except OperationsInFlightError as error:
                refusal = str(error)
        self.message_user(request, refusal, messages.ERROR)
        return HttpResponseRedirect(reverse("admin:programs_program_delete", args=[object_id]))

    def delete_model(self, request: HttpRequest, obj: Program) -> None:
        reason = request.POST["reason"].strip()
        delete_program(program_id=obj.pk, by=Actor.of(request.user), now=utc_now(), reason=reason)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What the confirmation page counts. The service removes it; money and broker records stay."""
        (program,) = objs
        preview = preview_deletion(program_id=program.pk)
        counts = {kind.replace("_", " "): total for kind, total in preview.counters.items() if total}
        return [str(program)], counts, set(), []

    def panels_below(self, request: HttpRequest, row: Program) -> Sequence[Panel]:
        return [terms_panel(row), versions_panel(row), timeline(row, COLOURS)]

    @display(description="phases", ordering="phases_count")
    def phases(self, program: Program) -> int:
        return program.phases_count

    @display(description="running", ordering="running_total")
    def running(self, program: Any) -> int:
        return int(program.running_total)
