"""The requests and answers that the original documentation prints, for ours. Source: seeds 001 and 004."""

from typing import Any

Json = dict[str, Any]


def _step(index: int, kind: int, name: str, group: str, **rules: Any) -> Json:
    common = {"duration_days": 30, "max_daily_loss_pct": 5, "max_total_loss_pct": 10}
    return {"phase_index": index, "phase_type": kind, "name": name, "account_group": group, **common, **rules}


_STEPS = [
    _step(1, 0, "Evaluation", "PROP_DEMO_USD", max_daily_profit_pct=0, profit_target_pct=10, profit_split=0),
    _step(2, 1, "Funded", "PROP_REAL_USD", max_daily_profit_pct=5, profit_target_pct=0, profit_split=0.8),
]
_PROGRAM = {"name": "Evaluation 100K - Standard", "price": 549.0, "status": 0, "steps": _STEPS}
_ANSWER = {
    "program": {
        "id": 1, "brand": "default", "name": "Evaluation 100K - Standard", "description": "Two phase evaluation",
        "demo_group": "PROP_DEMO_USD", "price": 549.0, "price_currency": "USD", "profit_split": 0.8, "status": 0,
        "sort_index": 100, "created_time": 1778160000, "updated_time": 1778160300,
    },
    "steps": [
        {
            "id": number, "program_id": 1, **step, "initial_balance": 100000, "min_trading_days": 0,
            "max_trading_days": 0, "max_positions": 0, "created_time": 1778160300, "updated_time": 1778160300,
        }
        for number, step in enumerate(_STEPS, start=2)
    ],
}  # fmt: skip
_TABLE = {
    "limit": 50,
    "offset": 0,
    "where": [["brand", "=", "default"], ["status", "=", 0]],
    "orderBy": [["sort_index", "asc"]],
}
_ROWS = {
    "structure": [
        "id", "brand", "name", "description", "demo_group", "price", "price_currency", "status", "sort_index",
        "phases_count", "created_time", "updated_time",
    ],
    "rows": [
        [1, "default", "Evaluation 100K", "Two phase evaluation", "PROP_DEMO_USD", 499.0, "USD", 0, 100, 2,
         1778160000, 1778160000],
    ],
    "count": 1,
}  # fmt: skip

CREATE = ({"brand": "default", "price_currency": "USD", **_PROGRAM}, _ANSWER)
GET = ({"id": 1}, _ANSWER)
UPDATE = ({"id": 1, **_PROGRAM}, _ANSWER)
BY_FILTER = (_TABLE, _ROWS)
DELETE = ({"id": 1}, {"id": 1, "deleted": True, "counters": {"programs": 1, "phases": 2}})
