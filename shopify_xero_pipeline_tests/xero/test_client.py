"""The client: signing in, pacing, limits, retries of reads, and errors for people."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.http import transport
from shopify_xero_pipeline.http.exchange import AnswerTooLargeError
from shopify_xero_pipeline.xero import client as client_module
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient, XeroResponse
from shopify_xero_pipeline.xero.errors import (
    DailyQuotaExceededError,
    ReplayWindowExpiredError,
    XeroDeniedError,
    XeroRefusedError,
    XeroSettingsError,
    XeroSignInError,
    XeroUnavailableError,
)

START = datetime(2026, 9, 22, tzinfo=UTC)
Handler = Callable[[httpx.Request], httpx.Response]


def token(lifetime: int = 1800) -> httpx.Response:
    return httpx.Response(200, json={"access_token": "secret-token", "expires_in": lifetime})


class Fake:
    """Answers the token endpoint itself and hands everything else to a handler."""

    def __init__(self, handler: Handler | None = None, signs_in: Handler | None = None, **options: Any) -> None:
        self.clock = ManualClock(START)
        self.api: list[httpx.Request] = []
        self.sign_ins: list[httpx.Request] = []
        self._handler = handler or (lambda _: httpx.Response(200, json={}))
        self._signs_in = signs_in or (lambda _: token())
        credentials = options.pop("credentials", XeroCredentials("id", "hidden", tenant_id="tenant"))
        self.client = XeroClient(
            credentials,
            clock=self.clock,
            transport=httpx.MockTransport(self._answer),
            rng=random.Random(1),
            **options,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/connect/token":
            self.sign_ins.append(request)
            return self._signs_in(request)
        self.api.append(request)
        answer = self._handler(request)
        answer.headers.setdefault("Date", format_datetime(self.clock.now(), usegmt=True))
        return answer

    @property
    def passed(self) -> timedelta:
        return self.clock.now() - START


def replies(*responses: httpx.Response | Exception) -> Handler:
    rest: Iterator[httpx.Response | Exception] = iter(responses)

    def answer(_: httpx.Request) -> httpx.Response:
        response = next(rest)
        if isinstance(response, Exception):
            raise response
        return response

    return answer


def write(fake: Fake, body: bytes = b"{}", guard: Callable[[], None] = lambda: None) -> XeroResponse:
    return fake.client.write("PUT", "/Invoices?summarizeErrors=false", body, key="k" * 128, guard=guard)


# -- signing in --------------------------------------------------------------------------------------------------------


def test_credentials_go_to_the_identity_host_and_calls_to_the_api_host() -> None:
    fake = Fake()

    fake.client.get("/Organisation")

    assert str(fake.sign_ins[0].url) == "https://identity.xero.com/connect/token"
    assert fake.sign_ins[0].headers["authorization"].startswith("Basic ")
    assert b"grant_type=client_credentials" in fake.sign_ins[0].content
    assert str(fake.api[0].url) == "https://api.xero.com/api.xro/2.0/Organisation"
    assert fake.api[0].headers["authorization"] == "Bearer secret-token"
    assert fake.api[0].headers["xero-tenant-id"] == "tenant"
    assert fake.api[0].headers["accept"] == "application/json"
    assert fake.client.calls == 1
    fake.client.close()


def test_a_custom_connection_names_no_tenant() -> None:
    fake = Fake(credentials=XeroCredentials("id", "hidden"))

    fake.client.get("/Organisation")

    assert "xero-tenant-id" not in fake.api[0].headers


def test_a_token_is_used_until_shortly_before_it_lapses() -> None:
    fake = Fake()
    for seconds in (0, 1490, 20):
        fake.clock.sleep(seconds)
        fake.client.get("/Organisation")

    assert len(fake.sign_ins) == 2


def test_a_lapsed_token_is_renewed_once_and_the_call_made_again() -> None:
    fake = Fake(replies(httpx.Response(401), httpx.Response(200, json={"Ok": 1})))

    assert fake.client.get("/Organisation") == {"Ok": 1}
    assert len(fake.sign_ins) == 2


def test_a_call_that_stays_forbidden_says_what_to_do_and_names_the_correlation_id() -> None:
    fake = Fake(lambda _: httpx.Response(401, headers={"Xero-Correlation-Id": "abc-1"}))
    with pytest.raises(XeroDeniedError, match=r"scopes are granted.*abc-1"):
        fake.client.get("/Organisation")
    assert len(fake.api) == 2

    fake = Fake(lambda _: httpx.Response(401, headers={"WWW-Authenticate": "insufficent_scope"}))
    with pytest.raises(XeroDeniedError, match="scopes"):
        fake.client.get("/Organisation")
    assert len(fake.api) == 1

    fake = Fake(lambda _: httpx.Response(403))
    with pytest.raises(XeroDeniedError, match="XERO_TENANT_ID"):
        fake.client.get("/Organisation")


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (httpx.Response(400, json={"error": "invalid_client"}), "invalid_client"),
        (httpx.Response(401, text="no"), "status 401"),
        (httpx.Response(403, json={"error": "<b>hidden</b>"}), "status 403"),
    ],
)
def test_refused_credentials_name_the_settings_and_repeat_no_secret(answer: httpx.Response, word: str) -> None:
    fake = Fake(signs_in=lambda _: answer)

    with pytest.raises(XeroSignInError, match=f"{word}.*XERO_CLIENT_ID") as raised:
        fake.client.get("/Organisation")

    assert "hidden" not in str(raised.value)


def test_credentials_do_not_show_their_secret() -> None:
    assert "hidden" not in repr(XeroCredentials("id", "hidden"))


def test_a_sign_in_service_that_comes_back_is_waited_for() -> None:
    fake = Fake(signs_in=replies(httpx.ConnectError("down"), httpx.Response(503), httpx.Response(429), token()))

    fake.client.get("/Organisation")

    assert timedelta(0) < fake.passed <= timedelta(seconds=2 + 4 + 8)


def test_a_retry_after_of_the_sign_in_service_is_obeyed() -> None:
    fake = Fake(signs_in=replies(httpx.Response(429, headers={"Retry-After": "7"}), token()))

    fake.client.get("/Organisation")

    assert fake.passed == timedelta(seconds=7)


def test_a_sign_in_service_that_asks_for_a_long_pause_ends_the_attempts_without_one() -> None:
    fake = Fake(signs_in=replies(httpx.Response(503, headers={"Retry-After": "3600"})))

    with pytest.raises(XeroUnavailableError, match="Try again later"):
        fake.client.get("/Organisation")

    assert (len(fake.sign_ins), fake.passed) == (1, timedelta(0))


def test_no_pause_follows_the_last_token_request() -> None:
    pauses: list[float] = []
    fake = Fake(signs_in=replies(*[httpx.ConnectError("down")] * 4))
    sleep = fake.clock.sleep

    def paused(seconds: float) -> None:
        pauses.append(seconds)
        sleep(seconds)

    fake.clock.sleep = paused  # type: ignore[method-assign]

    with pytest.raises(XeroUnavailableError, match="cannot be reached"):
        fake.client.get("/Organisation")

    assert (len(fake.sign_ins), len(pauses)) == (4, 3)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.ConnectError("down"), "cannot be reached"),
        (httpx.Response(503), "no usable response"),
        (httpx.Response(200, text="<html>"), "no usable response"),
        (httpx.Response(200, json={"access_token": "x"}), "no usable response"),
    ],
)
def test_a_sign_in_service_that_stays_away_is_an_error(answer: httpx.Response | Exception, words: str) -> None:
    fake = Fake(signs_in=replies(*[answer] * 4))

    with pytest.raises(XeroUnavailableError, match=words):
        fake.client.get("/Organisation")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8765/", "http://localhost:1", "http://[::1]:9", "https://127.9.9.9"])
def test_a_sandbox_on_this_machine_is_accepted(url: str) -> None:
    fake = Fake(base_url=url)

    fake.client.get("/Organisation")

    assert fake.api[0].url.host == fake.sign_ins[0].url.host == httpx.URL(url).host
    assert fake.api[0].url.path == "/api.xro/2.0/Organisation"


@pytest.mark.parametrize("url", ["https://api.xero.com.evil.example", "http://10.0.0.1", "ftp://127.0.0.1", "nonsense"])
@pytest.mark.parametrize("setting", ["base_url", "identity_url"])
def test_no_other_host_ever_gets_the_credentials(url: str, setting: str) -> None:
    options: dict[str, Any] = {setting: url}
    with pytest.raises(XeroSettingsError, match="XERO_BASE_URL"):
        Fake(**options)


# -- limits ------------------------------------------------------------------------------------------------------------


def test_no_more_than_sixty_calls_leave_in_any_minute() -> None:
    fake = Fake()
    left: list[datetime] = []
    for _ in range(150):
        fake.client.get("/Organisation")
        left.append(fake.clock.now())
        fake.clock.sleep(0.3)

    assert max(sum(start <= one < start + timedelta(seconds=60) for one in left) for start in left) == 60
    assert fake.passed < timedelta(seconds=150)


def test_a_minute_used_up_by_someone_else_is_waited_for() -> None:
    fake = Fake(lambda _: httpx.Response(200, json={}, headers={"X-MinLimit-Remaining": "0"}))

    fake.client.get("/Organisation")
    fake.client.get("/Organisation")

    assert fake.passed == timedelta(seconds=60)


def test_a_read_obeys_retry_after() -> None:
    busy = httpx.Response(429, headers={"Retry-After": "26", "X-Rate-Limit-Problem": "minute"})
    fake = Fake(replies(busy, httpx.Response(200, json={})))

    fake.client.get("/Organisation")

    assert fake.passed == timedelta(seconds=26)


def test_a_limit_without_retry_after_is_backed_off_from_shortly() -> None:
    busy = httpx.Response(429, headers={"X-Rate-Limit-Problem": "concurrent"})
    fake = Fake(replies(busy, busy, httpx.Response(200, json={})))

    fake.client.get("/Organisation")

    assert timedelta() < fake.passed < timedelta(seconds=12)


@pytest.mark.parametrize("headers", [{"X-Rate-Limit-Problem": "day"}, {"Retry-After": "66975"}])
def test_the_end_of_the_day_is_not_waited_for(headers: dict[str, str]) -> None:
    fake = Fake(lambda _: httpx.Response(429, headers=headers))

    with pytest.raises(DailyQuotaExceededError, match="Xero's day has turned"):
        fake.client.get("/Organisation")

    assert fake.passed < timedelta(seconds=5)
    assert len(fake.api) == 1


@pytest.mark.parametrize(("left", "writes"), [("101", True), ("100", False), ("1001", True), ("0", False)])
def test_writes_leave_a_tenth_of_the_day_for_reading_back(left: str, writes: bool) -> None:
    fake = Fake(lambda _: httpx.Response(200, json={}, headers={"X-DayLimit-Remaining": left}))
    fake.client.get("/Organisation")

    if writes:
        fake.client.ready()
    else:
        with pytest.raises(DailyQuotaExceededError):
            fake.client.ready()
    if left != "0":
        fake.client.get("/Organisation")


def test_what_was_said_of_the_day_is_forgotten_after_a_while() -> None:
    fake = Fake(lambda _: httpx.Response(200, json={}, headers={"X-DayLimit-Remaining": "0"}))
    fake.client.get("/Organisation")
    with pytest.raises(DailyQuotaExceededError):
        fake.client.get("/Organisation")

    fake.clock.sleep(3601)

    fake.client.get("/Organisation")


# -- reads -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500),
        httpx.Response(503, text="offline"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, text="[1]"),
        httpx.ReadTimeout("slow"),
        httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"not gzip")),
    ],
)
def test_a_read_is_tried_again_until_a_usable_answer_comes(trouble: httpx.Response | Exception) -> None:
    fake = Fake(replies(trouble, httpx.Response(200, json={"Ok": 1})))

    assert fake.client.get("/Organisation") == {"Ok": 1}


def test_a_read_that_never_succeeds_says_what_was_tried() -> None:
    fake = Fake(lambda _: httpx.Response(503))

    with pytest.raises(XeroUnavailableError, match="/Invoices failed 6 times: status 503"):
        fake.client.get("/Invoices")

    assert len(fake.api) == 6


@pytest.mark.parametrize("status", [400, 404])
def test_a_read_that_xero_does_not_understand_is_not_tried_again(status: int) -> None:
    fake = Fake(lambda _: httpx.Response(status))

    with pytest.raises(XeroRefusedError, match=f"GET /Invoices \\({status}\\)"):
        fake.client.get("/Invoices")

    assert len(fake.api) == 1


def test_redirects_are_not_followed() -> None:
    fake = Fake(lambda _: httpx.Response(302, headers={"Location": "https://evil.example/"}))

    with pytest.raises(XeroUnavailableError):
        fake.client.get("/Invoices")

    assert {request.url.host for request in fake.api} == {"api.xero.com"}


def test_numbers_are_read_exactly() -> None:
    fake = Fake(lambda _: httpx.Response(200, text='{"Total": 9007199254740993.01, "Count": 3}'))

    assert fake.client.get("/Invoices") == {"Total": Decimal("9007199254740993.01"), "Count": 3}


def test_a_read_of_changes_names_the_second_in_utc_and_takes_304_for_nothing() -> None:
    fake = Fake(lambda _: httpx.Response(304))

    assert fake.client.get("/Invoices", modified_since=START) == {}
    assert fake.api[0].headers["if-modified-since"] == "2026-09-22T00:00:00"


def test_pages_end_where_xero_says_or_with_a_page_that_is_not_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def paged(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params["page"])
        paging = {"page": number, "pageCount": 2, "itemCount": 3}
        return httpx.Response(200, json={"pagination": paging, "Invoices": [number]})

    fake = Fake(paged)
    assert list(fake.client.pages("/Invoices", "Invoices", {"unitdp": "4"})) == [([1], 3), ([2], 3)]
    assert dict(fake.api[0].url.params) == {"unitdp": "4", "page": "1", "pageSize": "1000"}

    monkeypatch.setattr(client_module, "PAGE_SIZE", 2)
    fake = Fake(replies(*[httpx.Response(200, json={"Invoices": some}) for some in ([1, 2], [3])]))
    assert list(fake.client.pages("/Invoices", "Invoices")) == [([1, 2], None), ([3], None)]


# -- writes ------------------------------------------------------------------------------------------------------------


def test_a_write_carries_its_exact_bytes_and_key() -> None:
    fake = Fake()

    write(fake, b'{"Amount":10.10}')

    (request,) = fake.api
    assert request.content == b'{"Amount":10.10}'
    assert request.headers["idempotency-key"] == "k" * 128
    assert request.url.query == b"summarizeErrors=false"


def test_a_write_is_never_repeated_by_the_client() -> None:
    fake = Fake(lambda _: httpx.Response(503))
    assert write(fake).status == 503
    assert len(fake.api) == 1

    fake = Fake(replies(httpx.ReadError("gone")))
    with pytest.raises(httpx.ReadError):
        write(fake)
    assert len(fake.api) == 1


def test_a_write_whose_guard_refuses_does_not_leave() -> None:
    fake = Fake()

    def refuse() -> None:
        raise ReplayWindowExpiredError("too late")

    with pytest.raises(ReplayWindowExpiredError):
        write(fake, guard=refuse)

    assert fake.api == []
    assert fake.client.calls == 0


def test_the_guard_is_asked_again_by_the_transport_just_before_the_bytes_leave() -> None:
    asked: list[str] = []

    class Tracing(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/connect/token":
                return token()
            trace = request.extensions["trace"]
            trace("connection.connect_tcp.started", {})
            asked.append("connected")
            trace("http11.send_request_headers.started", {})
            return httpx.Response(200, json={})

    client = XeroClient(XeroCredentials("id", "x"), clock=ManualClock(START), transport=Tracing())
    client.write("PUT", "/Invoices", b"{}", key="k", guard=lambda: asked.append("guard"))

    assert asked == ["guard", "connected", "guard"]


def test_an_answer_that_drips_past_the_deadline_or_never_ends_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake()

    def drip() -> Iterator[bytes]:
        for _ in range(50):
            fake.clock.sleep(1)
            yield b" "

    fake._handler = lambda _: httpx.Response(200, content=drip())
    with pytest.raises(httpx.ReadTimeout):
        write(fake)
    assert fake.passed < timedelta(seconds=35)

    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 10)
    fake._handler = lambda _: httpx.Response(200, content=b"x" * 11)
    with pytest.raises(AnswerTooLargeError):
        write(fake)


def test_no_secret_and_no_body_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="shopify_xero_calls")
    fake = Fake(lambda _: httpx.Response(200, json={"Name": "Aroha"}, headers={"Xero-Correlation-Id": "abc-1"}))

    write(fake, json.dumps({"Name": "Aroha"}).encode())

    assert "method=PUT route=/Invoices status=200 attempt=1 request_id=abc-1" in caplog.text
    assert not any(word in caplog.text for word in ("Aroha", "secret-token", "hidden"))
