"""Both sides asked over a real socket, and answered in the four ways that never ended once: every call ends.

A read is asked for again and then told as no answer; a write is in doubt; a run of a command fails with a sentence.
"""

import json
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest
from upath import UPath

from shopify_xero_pipeline.cli.job_runner import JobRunner
from shopify_xero_pipeline.clock import SystemClock
from shopify_xero_pipeline.loading.batch_sender import NOT_CONNECTED
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.sandbox.app import build_sandbox
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.shopify import client as shopify
from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken
from shopify_xero_pipeline.shopify.errors import ShopifyUnavailableError, ShopifyUnreachableError
from shopify_xero_pipeline.shopify.retry import UNAVAILABLE_ATTEMPTS
from shopify_xero_pipeline.xero import client as xero
from shopify_xero_pipeline.xero.auth import RETRIES, XeroCredentials
from shopify_xero_pipeline.xero.errors import XeroUnavailableError
from shopify_xero_pipeline_tests.http.peer import SLOW, Answer, Peer, ok, peer
from shopify_xero_pipeline_tests.support.stage import BOOKS, at
from shopify_xero_pipeline_tests.support.sync_round import FIRST

SECONDS = 0.3
NO_SIGN_IN = "sign-in service cannot be reached"
TOKEN: dict[str, Answer] = {
    "/connect/token": ok(json.dumps({"access_token": "t", "expires_in": 1800}).encode(), b"connection: close")
}


class Fleeting(SystemClock):
    """The machine's clock, from a day on which there is trade; who sleeps is there at once."""

    def __init__(self, start: datetime = datetime(2026, 11, 1, tzinfo=UTC)) -> None:
        self._start, self._began, self._slept = start, time.monotonic(), 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.elapsed())

    def elapsed(self) -> float:
        return time.monotonic() - self._began + self._slept

    def sleep(self, seconds: float) -> None:
        self._slept += seconds


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xero, "EXCHANGE_TIME_LIMIT", timedelta(seconds=SECONDS))
    monkeypatch.setattr(shopify, "_CALL_SECONDS", SECONDS)


@contextmanager
def xero_at(other: Peer) -> Iterator[xero.XeroClient]:
    with closing(
        xero.XeroClient(XeroCredentials("id", "x"), clock=Fleeting(), base_url=other.address, rng=random.Random(1))
    ) as client:
        yield client


def shopify_at(other: Peer, credentials: StaticToken | ClientCredentials) -> shopify.ShopifyClient:
    return shopify.ShopifyClient(
        "sandbox.myshopify.com", credentials, clock=Fleeting(), base_url=other.address, rng=random.Random(1)
    )


@pytest.mark.parametrize("slow", SLOW)
def test_a_read_of_xero_ends_and_is_asked_for_again(slow: str) -> None:
    with (
        peer(SLOW[slow], first=TOKEN) as other,
        xero_at(other) as client,
        pytest.raises(XeroUnavailableError, match=r"Reading /Organisation failed 2 times: no response \(ReadTimeout"),
    ):
        client.get("/Organisation", attempts=2)
    assert sum(b"/Organisation" in request for request in other.requests) == 2


@pytest.mark.parametrize("slow", SLOW)
def test_a_write_to_xero_ends_in_doubt_and_left_once(slow: str) -> None:
    with (
        peer(SLOW[slow], first=TOKEN) as other,
        xero_at(other) as client,
        pytest.raises(httpx.RequestError) as caught,
    ):
        client.write("PUT", "/Invoices", b'{"Invoices":[]}', key="k", guard=lambda: None)
    assert not isinstance(caught.value, NOT_CONNECTED)
    assert sum(b"/Invoices" in request for request in other.requests) == 1


@pytest.mark.parametrize("slow", SLOW)
def test_signing_in_to_xero_ends(slow: str) -> None:
    with peer(SLOW[slow]) as other, xero_at(other) as client, pytest.raises(XeroUnavailableError, match=NO_SIGN_IN):
        client.get("/Organisation")
    assert len(other.requests) == RETRIES.attempts


def test_an_answer_of_the_sign_in_service_that_cannot_be_unpacked_is_none() -> None:
    with (
        peer(ok(b"no gzip", b"content-encoding: gzip")) as other,
        xero_at(other) as client,
        pytest.raises(XeroUnavailableError, match=NO_SIGN_IN),
    ):
        client.get("/Organisation")
    assert len(other.requests) == RETRIES.attempts


@pytest.mark.parametrize("credentials", [StaticToken("t"), ClientCredentials("id", "x")])
@pytest.mark.parametrize("slow", SLOW)
def test_a_call_to_shopify_ends_and_is_sent_again(slow: str, credentials: StaticToken | ClientCredentials) -> None:
    with (
        peer(SLOW[slow]) as other,
        shopify_at(other, credentials) as client,
        pytest.raises(ShopifyUnavailableError, match=r"sent no complete response \(ReadTimeout\)") as caught,
    ):
        client.execute("query Shop { shop { name } }", {})
    assert not isinstance(caught.value, ShopifyUnreachableError)
    assert len(other.requests) == UNAVAILABLE_ATTEMPTS


@pytest.mark.parametrize("slow", SLOW)
def test_a_call_to_shopify_while_time_is_short_ends_with_that_time(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shopify, "_CALL_SECONDS", 600.0)
    with (
        peer(SLOW[slow]) as other,
        shopify_at(other, StaticToken("t")) as client,
        client.time_budget(SECONDS),
        pytest.raises(ShopifyUnavailableError),
    ):
        client.execute("query Shop { shop { name } }", {})
    assert len(other.requests) == 1


# -- a run -------------------------------------------------------------------------------------------------------------


def planned(folder: Path, shopify_url: str, xero_url: str, instance: dg.DagsterInstance, day: date) -> list[str]:
    """Plan a day; the side that has no address is the sandbox. Return what the command would say."""
    clock = Fleeting(at(day + timedelta(days=1)))
    sandbox = InProcessTransport(build_sandbox(clock=clock, source=GeneratedShop(1)).asgi)
    environ = {
        "SHOPIFY_BASE_URL": shopify_url or "http://127.0.0.1:9",
        "XERO_BASE_URL": xero_url or "http://127.0.0.1:9",
        "STATE_URL": f"sqlite:///{folder / 'state.db'}",
        "BOOKS_FILE": str(BOOKS),
    }
    sync_service = SyncService(
        Connections(
            Settings.from_environment(environ, dotenv=None),
            clock,
            shopify_transport=None if shopify_url else sandbox,
            xero_transport=None if xero_url else sandbox,
            rng=random.Random(1),
        )
    )
    with closing(sync_service.connections):
        return JobRunner(sync_service, instance, UPath(folder / "assets")).run("plan", [day])


ONE_OF_SLOW = ["a body", *(pytest.param(one, marks=pytest.mark.long) for one in SLOW if one != "a body")]
"""A whole run takes seconds of real time; the clients' own tests meet all of them."""


@pytest.mark.campaign
@pytest.mark.parametrize("slow", ONE_OF_SLOW)
def test_a_run_ends_with_a_sentence_where_shopify_drips(
    slow: str, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    with peer(SLOW[slow]) as other:
        (failure,) = planned(tmp_path, other.address, "", instance, FIRST)
    assert failure.startswith(
        "shopify/customers, shopify/orders, shopify/products: sandbox.myshopify.com sent no complete response"
    )


@pytest.mark.campaign
@pytest.mark.parametrize("slow", ONE_OF_SLOW)
def test_a_run_ends_with_a_sentence_where_xero_drips(slow: str, tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with peer(SLOW[slow], first=TOKEN) as other:
        failures = planned(tmp_path, "", other.address, instance, FIRST)
    assert failures
    assert all("Reading /Organisation failed" in failure for failure in failures)
