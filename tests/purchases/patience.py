"""For tests that buy over HTTP: a balance that a machine which stands still for a moment does not make unavailable."""

import pytest

from purchases.services import balances


@pytest.fixture(autouse=True)
def patient_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A customer waits a second for the balance, a test for as long as it takes."""
    monkeypatch.setattr(balances, "READ_SECONDS", 60.0)
