"""The equity chart of an enrollment: equity and balance over time, with the lines that decide about it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Count, FloatField, Func, IntegerField, Max, Min, QuerySet, Value
from django.db.models.functions import Extract

from challenges.models import Enrollment, MetricSnapshot
from propdesk.lib.admin import Chart

# More points than pixels show nothing more; each slice of time keeps its lowest and its highest equity.
MOST_POINTS = 800
FIELDS = ("at", "equity", "balance", "daily_loss_level", "total_loss_level", "profit_target_level")
LINES: tuple[dict[str, Any], ...] = (
    {"name": "Equity", "field": "equity", "colour": "#4f46e5", "width": 2},
    {"name": "Balance", "field": "balance", "colour": "#94a3b8", "width": 1.5, "stepped": True},
    {"name": "Daily loss level", "field": "daily_loss_level", "colour": "#ea580c", "dashed": True, "stepped": True},
    {"name": "Total loss level", "field": "total_loss_level", "colour": "#dc2626", "dashed": True, "stepped": True},
    {"name": "Profit target", "field": "profit_target_level", "colour": "#16a34a", "dashed": True, "stepped": True},
)


def equity_chart(enrollment: Enrollment, currency: str) -> Chart:
    """The chart panel of one enrollment; three queries however long it ran."""
    points = _points(MetricSnapshot.objects.filter(enrollment_id=enrollment.pk))
    series = [
        {**line, "values": [_number(point[line["field"]]) for point in points]}
        for line in LINES
        if any(point[line["field"]] is not None for point in points)
    ]
    data = {
        "id": f"equity-{enrollment.pk}",
        "currency": currency,
        "points": [int(point["at"].timestamp()) for point in points],
        "series": series,
    }
    return Chart(
        title="Equity",
        note=f"{enrollment.phase_name}, account {enrollment.account or 'being opened'}. Times in UTC.",
        data=data,
        empty="No reading has been kept yet. The first one appears within a minute of the account's opening.",
    )


def _points(snapshots: QuerySet[MetricSnapshot]) -> Sequence[dict[str, Any]]:
    span = snapshots.aggregate(first=Min("at"), last=Max("at"), total=Count("at"))
    if span["total"] <= MOST_POINTS:
        return list(snapshots.order_by("at").values(*FIELDS))
    first, last = span["first"].timestamp(), span["last"].timestamp() + 1
    slice_of_time = Func(
        Extract("at", "epoch", output_field=FloatField()),
        Value(first, FloatField()),
        Value(last, FloatField()),
        Value(MOST_POINTS // 2),
        function="width_bucket",
        output_field=IntegerField(),
    )
    sliced = snapshots.annotate(slice=slice_of_time)
    lowest = sliced.order_by("slice", "equity").distinct("slice").values("slice", *FIELDS)
    highest = sliced.order_by("slice", "-equity").distinct("slice").values("slice", *FIELDS)
    # The last point is where the account stands now; it need not be an extreme of its slice.
    newest = snapshots.order_by("-at").values(*FIELDS)[:1]
    unique = {point["at"]: point for point in (*lowest, *highest, *newest)}
    return [unique[at] for at in sorted(unique)]


def _number(amount: Decimal | None) -> float | None:
    # Floats only here, at the edge, for drawing.
    return None if amount is None else float(amount)
