"""The simulator for about a minute of computing, and whether it can be trusted: the same run every time."""

import pytest

from shopify_xero_pipeline_tests.campaigns.protocol.campaign import whole_seed
from shopify_xero_pipeline_tests.campaigns.protocol.play import Spec, play
from shopify_xero_pipeline_tests.campaigns.protocol.sweep import Sweep

pytestmark = pytest.mark.campaign

STRIDE = 8


@pytest.mark.parametrize("seed", [0, 5, 9, 21])
def test_nothing_is_doubled_lost_or_stuck_wherever_processes_die(seed: int) -> None:
    assert whole_seed(seed, STRIDE).failed == []


def test_requests_of_a_process_are_in_flight_side_by_side() -> None:
    assert play(Spec(5)).tally["side by side"] > 0


def test_a_copy_that_dies_at_a_point_is_the_run_that_is_played_with_that_death() -> None:
    _, *dying = Sweep(7, 11, 3).outcomes()

    for one in dying[:4]:
        again = play(one.spec)
        assert (again.tally, again.points, again.problems) == (one.tally, one.points, [])


def test_a_run_with_several_loaders_is_the_same_every_time() -> None:
    first, second = play(Spec(5, (), 3)), play(Spec(5, (), 3))

    assert (first.tally, first.points) == (second.tally, second.points)
    assert first.problems == []
