"""What the browser posts for a program, and the confirmation of the dry run."""

from typing import Any

from django.test import Client
from django.urls import reverse

from programs.models import Program
from tests.propdesk.admin.rows import Firm

ADD = "/admin/programs/program/add/"


def change_url(program: Program) -> str:
    return reverse("admin:programs_program_change", args=[program.pk])


def phase_data(group_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "place": "", "phase_type": 0, "name": "Evaluation", "account_group": group_id, "profit_split": 0,
        "max_daily_loss_pct": 5, "daily_loss_base": "day_start_equity", "daily_loss_pct_of": "base",
        "daily_loss_action": "fail", "max_total_loss_pct": 10, "total_loss_trail": "none",
        "total_loss_pct_of": "initial_balance", "total_loss_lock_pct": "", "total_loss_checked": "always",
        "loss_tested_on": "equity", "breach_when": "below", "profit_target_pct": 8, "profit_target_on": "balance",
        "max_daily_profit_pct": 0, "max_daily_profit_of": "day_start_equity", "max_daily_profit_action": "pause",
        "duration_days": 0, "min_trading_days": 0, "max_trading_days": 0, "trading_day_counts": "opened",
        "trading_day_min_profit_pct": 0, "max_positions": 0, "max_open_lots": "", "exposure_action": "fail",
        "consistency_pct": "", "inactivity_days": 0, "weekend_holding_allowed": "on", "weekend_cutoff": "20:00",
        "early_warning_pct": 80, **fields,
    }  # fmt: skip


def posted(*phases: dict[str, Any], initial: int = 0, **fields: Any) -> dict[str, Any]:
    data = {
        "name": "Two steps", "brand": "default", "description": "", "price": "499", "price_currency": "USD",
        "sort_index": "5", "day_reset_time": "17:00", "day_reset_timezone": "America/New_York", "status": "0",
        "phases-TOTAL_FORMS": len(phases), "phases-INITIAL_FORMS": initial, **fields,
    }  # fmt: skip
    for number, phase in enumerate(phases):
        data.update({f"phases-{number}-{name}": value for name, value in phase.items()})
    return data


def save(client: Client, url: str, data: dict[str, Any]) -> Any:
    """Post the form and confirm what the dry run of an edit shows; the answer to the last post."""
    shown = client.post(url, data)
    if url.startswith(ADD):
        return shown
    assert "fingerprint" in shown.context, shown.context["errors"]
    return client.post(url, {**data, "confirmed": shown.context["fingerprint"]})


def two_phases(firm: Firm) -> tuple[dict[str, Any], dict[str, Any]]:
    funded = {"name": "Funded", "phase_type": 1, "profit_split": "0.8", "profit_target_pct": 0}
    return phase_data(firm.demo.pk), phase_data(firm.real.pk, **funded)
