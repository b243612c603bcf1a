"""More seeds of the simulator, in a file of their own so that two processes share them; for the long campaigns."""

import pytest

from shopify_xero_pipeline_tests.campaigns.protocol.campaign import whole_seed
from shopify_xero_pipeline_tests.campaigns.protocol.test_simulator import STRIDE

pytestmark = [pytest.mark.campaign, pytest.mark.long]


@pytest.mark.parametrize("seed", [2, 4, 11, 12])
def test_nothing_is_doubled_lost_or_stuck_wherever_processes_die(seed: int) -> None:
    assert whole_seed(seed, STRIDE).failed == []
