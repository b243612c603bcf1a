"""Retry-After is read as servers send it, and the back-off stays within its bounds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_xero_pipeline.http.retries import RetryPolicy, back_off, retry_after

AT_NOON = {"date": "Mon, 30 Nov 2026 12:00:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "Mon, 30 Nov 2026 12:00:30 GMT", **AT_NOON}, 30.0),
        ({"retry-after": "Mon, 30 Nov 2026 11:00:00 GMT", **AT_NOON}, 0.0),
        ({"retry-after": "Mon, 30 Nov 2026 12:00:30 GMT"}, None),
        ({"retry-after": "Mon, 30 Nov 2026 12:00:30 -0000", **AT_NOON}, None),
        ({"retry-after": "Mon, 30 Nov 2026 12:00:30 GMT", "date": ", ".join([AT_NOON["date"]] * 2)}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date_by_the_clock_of_the_server(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


@given(st.integers(), st.integers(min_value=0, max_value=50))
def test_the_back_off_doubles_up_to_its_limit(seed: int, failures: int) -> None:
    seconds = back_off(random.Random(seed), failures, first=2.0, longest=15.0)

    assert 0 <= seconds <= min(15.0, 2.0 * 2**failures)


@given(st.integers(), st.integers(min_value=0, max_value=50))
def test_a_policy_can_have_a_shortest_pause(seed: int, failures: int) -> None:
    policy = RetryPolicy(attempts=3, first=2.0, longest=4.0, min_share=0.5)

    assert min(2.0, 2.0**failures) <= policy.pause(random.Random(seed), failures) <= 4.0


def test_a_pause_is_the_one_of_retry_after_and_else_the_back_off() -> None:
    policy = RetryPolicy(attempts=4, first=2.0, longest=15.0)
    drawn = back_off(random.Random(1), 1, first=2.0, longest=15.0)

    assert policy.pause(random.Random(1), 0, {"retry-after": "40"}) == 40.0
    assert policy.pause(random.Random(1), 1, {}) == drawn
    assert policy.pause(random.Random(1), 1) == drawn
