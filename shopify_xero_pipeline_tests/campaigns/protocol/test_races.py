"""Races of two processes: with its rule each ends well, without it a record is doubled or the journal goes back."""

import pytest

from shopify_xero_pipeline_tests.campaigns.protocol.planted import BUGS
from shopify_xero_pipeline_tests.campaigns.protocol.races import RACES, raced

pytestmark = pytest.mark.campaign

BY_NAME = {bug.name: bug for bug in BUGS}


def lost_without(name: str, how: str) -> bool:
    """Tell whether a race is won with its rule, and lost in this way without it."""
    assert raced(None, RACES[name]).problems == []
    return any(how in one for one in raced(BY_NAME[name], RACES[name]).problems)


def test_a_batch_that_was_taken_over_is_not_sent_by_its_first_owner() -> None:
    assert lost_without("no fence", "duplicate")


def test_what_another_process_has_created_since_the_mapping_was_read_is_not_planned_again() -> None:
    assert lost_without("planned unconditionally", "duplicate")


def test_what_another_process_has_taken_on_since_is_not_put_in_a_batch_again() -> None:
    assert lost_without("claimed unconditionally", "I8")


def test_a_look_up_that_was_overtaken_does_not_undo_what_was_settled_meanwhile() -> None:
    assert lost_without("settled unconditionally", "I8")
