"""The equity chart keeps what matters of a long series: the extremes and the end."""

from datetime import timedelta
from decimal import Decimal

import pytest

from challenges.admin.chart import MOST_POINTS, equity_chart
from challenges.models import MetricSnapshot
from tests.propdesk.admin.rows import NOW, make_firm, sell

pytestmark = pytest.mark.django_db


def test_a_short_series_is_drawn_whole() -> None:
    enrollment = sell(make_firm(), 1).enrollment
    chart = equity_chart(enrollment, "USD")
    assert len(chart.data["points"]) == MetricSnapshot.objects.count() == 180
    assert [line["name"] for line in chart.data["series"]] == [
        "Equity",
        "Balance",
        "Daily loss level",
        "Total loss level",
        "Profit target",
    ]


def test_a_long_series_is_thinned_but_keeps_its_extremes_and_its_end() -> None:
    enrollment = sell(make_firm(), 1).enrollment
    MetricSnapshot.objects.all().delete()
    equities = [Decimal(100_000 + index * 7919 % 900) for index in range(5_000)]
    equities[1_234], equities[4_321], equities[-1] = Decimal("91234.56"), Decimal("107654.32"), Decimal("100123.45")
    MetricSnapshot.objects.bulk_create(
        MetricSnapshot(
            enrollment_id=enrollment.pk, at=NOW + timedelta(minutes=index), equity=equity, balance=Decimal(100_000),
            total_loss_level=Decimal(90_000), profit_pct=0, daily_loss_pct=0, total_loss_pct=0,
        )
        for index, equity in enumerate(equities)
    )  # fmt: skip
    chart = equity_chart(enrollment, "USD")
    drawn = chart.data["series"][0]["values"]
    assert len(drawn) <= MOST_POINTS + 1
    assert (min(drawn), max(drawn), drawn[-1]) == (91234.56, 107654.32, 100123.45)
    assert chart.data["points"] == sorted(chart.data["points"])
    assert [line["name"] for line in chart.data["series"]] == ["Equity", "Balance", "Total loss level"]


def test_without_a_reading_the_chart_says_when_to_expect_one() -> None:
    enrollment = sell(make_firm(), 1).enrollment
    MetricSnapshot.objects.all().delete()
    assert equity_chart(enrollment, "USD").data["points"] == []
