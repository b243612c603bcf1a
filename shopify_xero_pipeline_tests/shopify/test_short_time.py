"""Tests of reads within a time budget, as in a sensor's tick."""

import httpx
import pytest

from shopify_xero_pipeline.shopify.errors import ShopifyUnavailableError, ThrottledError
from shopify_xero_pipeline_tests.shopify.fakes import RecordingClock, Script, answered, client_of, error, refused

QUERY = "query Shop { shop { name } }"
UNAVAILABLE = httpx.Response(503)


def test_a_pause_that_does_not_fit_is_not_taken() -> None:
    clock, script = RecordingClock(), Script(*[UNAVAILABLE] * 5)
    client = client_of(script, clock)
    with client.time_budget(2.0), pytest.raises(ShopifyUnavailableError):
        client.execute(QUERY, {})
    assert clock.slept == [0.5, 1.0]
    assert len(script.requests) == 3


def test_an_empty_rate_limit_is_told_instead_of_waited_for() -> None:
    clock = RecordingClock()
    script = Script(answered({}, cost=500, available=0), refused(error("THROTTLED"), requested=500, available=0))
    client = client_of(script, clock)
    client.execute(QUERY, {})
    with (
        client.time_budget(4.0),
        pytest.raises(ThrottledError, match=r"rate limit of sandbox\.myshopify\.com is used up for now"),
    ):
        client.execute(QUERY, {})
    assert clock.slept == []
    assert len(script.requests) == 1


def test_no_call_is_begun_once_time_is_over_and_none_waits_longer_than_is_left() -> None:
    clock, script = RecordingClock(), Script(answered({}), answered({}), answered({}))
    client = client_of(script, clock)
    with client.time_budget(8.0):
        client.execute(QUERY, {})
        clock.sleep(6.0)
        client.execute(QUERY, {})
        clock.sleep(2.0)
        with pytest.raises(ShopifyUnavailableError, match="took too long to answer"):
            client.execute(QUERY, {})
    client.execute(QUERY, {})
    assert [one.extensions["timeout"]["read"] for one in script.requests] == [4.0, 2.0, 60.0]
