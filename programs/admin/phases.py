from typing import Any

from django.http import HttpRequest

from programs.admin.forms import PhaseForm, PhaseFormSet
from programs.admin.starting import start_of
from programs.models import Phase, Program
from propdesk.lib.admin import StackedInline


class PhaseInline(StackedInline[Phase, Program]):
    """The phases of a program, in order: what matters most first, how it is counted behind a click."""

    model = Phase
    form = PhaseForm
    formset = PhaseFormSet
    ordering = ("phase_index",)
    ordering_field = "place"
    hide_ordering_field = True
    collapsible = True
    min_num = 1
    extra = 0
    verbose_name_plural = "phases, in order"
    fieldsets = (
        (
            None,
            {"fields": (("name", "phase_type"), ("account_group", "profit_split"), "place")},
        ),
        (
            "Loss limits",
            {"fields": (("max_daily_loss_pct", "daily_loss_base"), ("max_total_loss_pct", "total_loss_trail"))},
        ),
        ("Targets", {"fields": (("profit_target_pct", "max_daily_profit_pct", "consistency_pct"),)}),
        ("Time", {"fields": (("min_trading_days", "max_trading_days", "duration_days"),)}),
        ("Exposure", {"fields": (("max_positions", "max_open_lots", "exposure_action"),)}),
        (
            "Advanced: how the limits are counted",
            {
                "classes": ("collapse",),
                "fields": (
                    ("daily_loss_pct_of", "daily_loss_action"),
                    ("total_loss_pct_of", "total_loss_lock_pct", "total_loss_checked"),
                    ("loss_tested_on", "breach_when", "early_warning_pct"),
                    ("profit_target_on", "max_daily_profit_of", "max_daily_profit_action"),
                    ("trading_day_counts", "trading_day_min_profit_pct", "inactivity_days"),
                    ("weekend_holding_allowed", "weekend_cutoff"),
                    "stop_loss_required",
                ),
            },
        ),
    )

    def get_formset(self, request: HttpRequest, obj: Program | None = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.refusal = getattr(request, "refusal", ())
        start = None if obj else start_of(request)
        if start:
            formset.extra = len(start.phases) - formset.min_num
        return formset
