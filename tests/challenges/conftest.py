import pytest

from brokers.models import AccountGroup
from tests.challenges.firm import Firm
from tests.purchases.patience import patient_readings
from tests.simulator import Simulator

__all__ = ["patient_readings"]


@pytest.fixture
def firm(simulator: Simulator, demo_group: AccountGroup, real_group: AccountGroup) -> Firm:
    return Firm(simulator=simulator, demo=demo_group, real=real_group)
