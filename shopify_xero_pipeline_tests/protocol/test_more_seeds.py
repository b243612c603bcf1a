"""More seeds of the simulator, in a file of their own so that two processes share them."""

import pytest

from shopify_xero_pipeline_tests.protocol.campaign import whole_seed
from shopify_xero_pipeline_tests.protocol.test_simulator import STRIDE

pytestmark = pytest.mark.campaign


@pytest.mark.parametrize("seed", [pytest.param(2, marks=pytest.mark.long), 4, 11, 12])
def test_nothing_is_doubled_lost_or_stuck_wherever_processes_die(seed: int) -> None:
    assert whole_seed(seed, STRIDE).failed == []
