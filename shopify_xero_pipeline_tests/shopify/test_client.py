"""Tests of the client: addresses for credentials, retries with back-off, and the error of each response."""

import json
import traceback
from decimal import Decimal

import httpx
import pytest

from shopify_xero_pipeline.shopify.auth import ClientCredentials, StaticToken
from shopify_xero_pipeline.shopify.client import ShopifyClient
from shopify_xero_pipeline.shopify.errors import (
    AccessDeniedError,
    AuthenticationFailedError,
    QueryRefusedError,
    QueryTooExpensiveError,
    SearchIgnoredError,
    SettingError,
    ShopifyError,
    ShopifyUnavailableError,
    ShopInactiveError,
    ShopMovedError,
    ThrottledError,
    VersionMismatchError,
)
from shopify_xero_pipeline_tests.shopify.fakes import TOKEN, RecordingClock, Script, answered, client_of, error, refused

DOCUMENT = "query Shop { shop { name } }"
SHOP = {"shop": {"name": "Sandbox"}}
APP = ClientCredentials("id-of-the-app", "shpss_secretsecretsecret")


def granted(token: str = "fresh", seconds: int = 86399) -> httpx.Response:
    return httpx.Response(200, json={"access_token": token, "scope": "read_orders", "expires_in": seconds})


def ask(*answers: object, clock: RecordingClock | None = None) -> dict[str, object]:
    return client_of(Script(*answers), clock).execute(DOCUMENT, {})  # type: ignore[arg-type]


def test_a_call_goes_to_the_pinned_version_of_the_shop_with_the_token() -> None:
    script = Script(answered(SHOP))
    with client_of(script) as client:
        assert client.execute(DOCUMENT, {"first": 2}) == SHOP
        assert client.calls == 1
    (request,) = script.requests
    assert str(request.url) == "https://sandbox.myshopify.com/admin/api/2026-10/graphql.json"
    assert request.headers["X-Shopify-Access-Token"] == TOKEN
    assert json.loads(request.content) == {"query": DOCUMENT, "variables": {"first": 2}}
    assert (request.extensions["timeout"]["connect"], request.extensions["timeout"]["read"]) == (10.0, 60.0)


def test_decimals_stay_exact() -> None:
    response = httpx.Response(200, text='{"data": {"rate": 0.1}}', headers={"X-Shopify-API-Version": "2026-10"})
    assert ask(response) == {"rate": Decimal("0.1")}


@pytest.mark.parametrize(
    "shop",
    [
        *("", "sandbox", "https://sandbox.myshopify.com", "sandbox.myshopify.com.evil.example", "-a.myshopify.com"),
        *("Sandbox.myshopify.com", "evil.example/sandbox.myshopify.com", "a.b.myshopify.com", "a.myshopify.com\n"),
    ],
)
def test_only_a_myshopify_domain_is_a_shop(shop: str) -> None:
    with pytest.raises(SettingError, match=r"SHOPIFY_SHOP .* name\.myshopify\.com"):
        ShopifyClient(shop, StaticToken(TOKEN), clock=RecordingClock())


@pytest.mark.parametrize(
    "base_url",
    [
        *("https://evil.example", "http://127.0.0.1@evil.example", "http://10.0.0.1:8765", "ftp://127.0.0.1"),
        *("http://user:secret@127.0.0.1", "http://[::1", "", "http://localhost.evil.example", "127.0.0.1:1"),
    ],
)
def test_a_sandbox_is_on_this_machine_or_refused(base_url: str) -> None:
    with pytest.raises(SettingError, match=r"SHOPIFY_BASE_URL .* http://127\.0\.0\.1:8765"):
        ShopifyClient("sandbox.myshopify.com", StaticToken(TOKEN), clock=RecordingClock(), base_url=base_url)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8765", "http://localhost:8765/", "http://[::1]:8765"])
def test_a_sandbox_on_a_loopback_address_is_spoken_to(base_url: str) -> None:
    script = Script(answered(SHOP))
    client = ShopifyClient(
        "sandbox.myshopify.com",
        StaticToken(TOKEN),
        clock=RecordingClock(),
        base_url=base_url,
        transport=httpx.MockTransport(script),
    )
    assert client.execute(DOCUMENT, {}) == SHOP
    assert str(script.requests[0].url) == f"{base_url.rstrip('/')}/admin/api/2026-10/graphql.json"


@pytest.mark.parametrize("secret", ["", "with space", "line\nbreak", "café"])
def test_a_secret_that_cannot_be_one_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(SettingError, match="SHOPIFY_ACCESS_TOKEN") as caught:
        StaticToken(secret)
    assert not secret or secret not in str(caught.value)
    with pytest.raises(SettingError, match="SHOPIFY_CLIENT_SECRET"):
        ClientCredentials("id", secret)


def test_secrets_have_no_repr() -> None:
    client = client_of(Script(), credentials=APP)
    shown = f"{StaticToken(TOKEN)!r} {APP!r} {client!r} {vars(client)!r}"
    assert TOKEN not in shown
    assert "shpss" not in shown


# --- tokens


def test_client_credentials_are_exchanged_once_and_the_token_used_until_80_percent_of_its_life() -> None:
    clock = RecordingClock()
    script = Script(granted("first"), answered(SHOP), answered(SHOP), granted("second"), answered(SHOP))
    client = client_of(script, clock, APP)
    client.execute(DOCUMENT, {})
    clock.sleep(0.79 * 86399)
    client.execute(DOCUMENT, {})
    clock.sleep(0.02 * 86399)
    client.execute(DOCUMENT, {})
    assert client.calls == 5
    exchange = script.requests[0]
    assert str(exchange.url) == "https://sandbox.myshopify.com/admin/oauth/access_token"
    assert exchange.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert exchange.content == (
        b"grant_type=client_credentials&client_id=id-of-the-app&client_secret=shpss_secretsecretsecret"
    )
    used = [request.headers.get("X-Shopify-Access-Token") for request in script.requests]
    assert used == [None, "first", "first", None, "second"]


def test_a_refused_token_is_replaced_once() -> None:
    unauthorised = httpx.Response(401, json={"errors": "[API] Invalid API key or access token"})
    script = Script(granted("old"), unauthorised, granted("new"), answered(SHOP))
    assert client_of(script, credentials=APP).execute(DOCUMENT, {}) == SHOP
    assert script.requests[-1].headers["X-Shopify-Access-Token"] == "new"


def test_a_new_token_that_is_refused_too_ends_it() -> None:
    unauthorised = httpx.Response(401, json={"errors": "[API] Invalid API key or access token"})
    script = Script(granted("old"), unauthorised, granted("new"), unauthorised)
    with pytest.raises(AuthenticationFailedError, match="SHOPIFY_CLIENT_SECRET"):
        client_of(script, credentials=APP).execute(DOCUMENT, {})
    assert not script.answers


def test_a_refused_static_token_is_told_with_what_shopify_says() -> None:
    unauthorised = httpx.Response(401, json={"errors": "[API] Invalid API key or access token"})
    with pytest.raises(AuthenticationFailedError, match=r"SHOPIFY_ACCESS_TOKEN.*Invalid API key.*HTTP 401"):
        ask(unauthorised)


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (400, "Oauth error shop_not_permitted: Client credentials cannot be performed on this shop.", "organization"),
        (400, "Oauth error app_not_installed", "install it"),
        (401, '{"errors": "invalid_client"}', "Dev Dashboard"),
    ],
)
def test_why_no_token_was_given_is_told(status: int, body: str, remedy: str) -> None:
    script = Script(httpx.Response(status, text=body))
    with pytest.raises(AuthenticationFailedError, match=remedy):
        client_of(script, credentials=APP).execute(DOCUMENT, {})
    assert not script.answers


def test_a_token_request_that_fails_inside_is_tried_again() -> None:
    script = Script(httpx.Response(502), granted(), answered(SHOP))
    assert client_of(script, credentials=APP).execute(DOCUMENT, {}) == SHOP


@pytest.mark.parametrize("body", [{}, {"access_token": "t"}, {"access_token": "t", "expires_in": True}])
def test_a_token_answer_without_a_token_or_lifetime_is_no_answer(body: dict[str, object]) -> None:
    script = Script(*[httpx.Response(200, json=body)] * 5)
    with pytest.raises(ShopifyUnavailableError, match="lifetime"):
        client_of(script, credentials=APP).execute(DOCUMENT, {})


# --- the rate limit


def test_a_throttled_query_waits_for_the_missing_points_and_half_a_second_of_jitter() -> None:
    clock = RecordingClock()
    script = Script(refused(error("THROTTLED", "Throttled"), requested=752, available=400), answered(SHOP))
    assert client_of(script, clock).execute(DOCUMENT, {}) == SHOP
    assert clock.slept == [4.5]  # (752 - 400) / 100 = 3.52, so 4 whole seconds


def test_a_throttled_query_waits_a_second_at_least() -> None:
    clock = RecordingClock()
    bare = httpx.Response(200, json={"errors": [error("THROTTLED")]})
    assert ask(bare, answered(SHOP), clock=clock) == SHOP
    assert clock.slept == [1.5]


def test_a_query_that_stays_throttled_is_given_up_after_thirty_tries() -> None:
    clock = RecordingClock()
    script = Script(*[refused(error("THROTTLED"), requested=100, available=0)] * 30)
    with pytest.raises(ThrottledError, match=r"exceeds Shopify's rate limit\. Try again in 1 s"):
        client_of(script, clock).execute(DOCUMENT, {})
    assert not script.answers
    assert len(clock.slept) == 29
    assert clock.slept[:6] == [1.5, 2.0, 3.0, 5.0, 9.0, 16.0]  # the second that was asked for, and growing jitter
    assert max(clock.slept) == 16.0


def test_a_query_known_not_to_fit_is_held_back() -> None:
    clock = RecordingClock()
    client = client_of(Script(answered(SHOP, cost=800, available=300), answered(SHOP, cost=800)), clock)
    client.execute(DOCUMENT, {})
    client.execute(DOCUMENT, {})
    assert clock.slept == [5.0]
    assert client.requested_points(DOCUMENT) == 800


def test_points_that_flowed_back_meanwhile_are_reckoned_with() -> None:
    clock = RecordingClock()
    client = client_of(Script(answered(SHOP, cost=800, available=300), answered(SHOP)), clock)
    client.execute(DOCUMENT, {})
    clock.move_to(clock.now().replace(second=3))
    client.execute(DOCUMENT, {})
    assert clock.slept == [2.0]


def test_a_query_too_dear_for_any_bucket_is_not_waited_for() -> None:
    clock = RecordingClock()
    dear = refused(error("MAX_COST_EXCEEDED", cost=1036, maxCost=1000), requested=1036, available=10)
    client = client_of(Script(dear, answered(SHOP)), clock)
    with pytest.raises(QueryTooExpensiveError, match="1036 points where one query may cost 1000") as caught:
        client.execute(DOCUMENT, {})
    assert (caught.value.cost, caught.value.limit) == (1036, 1000)
    client.execute(DOCUMENT, {})
    assert clock.slept == []


@pytest.mark.parametrize(
    ("header", "waited"), [("2.0", 2.5), ("Mon, 05 Oct 2026 09:00:07 GMT", 7.5), (None, 1.5), ("soon", 1.5), ("0", 1.5)]
)
def test_retry_after_is_honoured(header: str | None, waited: float) -> None:
    clock = RecordingClock()
    date = {"Date": "Mon, 05 Oct 2026 09:00:00 GMT"}
    busy = httpx.Response(429, headers=date | ({"Retry-After": header} if header else {}))
    assert ask(busy, answered(SHOP), clock=clock) == SHOP
    assert clock.slept == [waited]


def test_a_server_that_wants_more_quiet_than_five_minutes_is_not_waited_for() -> None:
    clock = RecordingClock()
    with pytest.raises(ThrottledError, match="3600 s"):
        ask(httpx.Response(429, headers={"Retry-After": "3600"}), clock=clock)
    assert clock.slept == []


def test_unreadable_costs_are_ignored() -> None:
    costs: list[object] = [None, 1, {"throttleStatus": {}}, {"requestedQueryCost": 1}]
    for extensions in [None, {}, *({"cost": cost} for cost in costs)]:
        response = httpx.Response(200, json={"data": SHOP, "extensions": extensions})
        assert ask(response) == SHOP


# --- what is tried again


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500),
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(503),
        httpx.Response(504),
        httpx.Response(530),
        httpx.Response(540),
        httpx.Response(200, text="<html>Be right back</html>"),
        httpx.Response(200, text='{"data": {"shop": {"na'),
        httpx.Response(200, json=["data"]),
        httpx.Response(200, json={"data": None}),
        httpx.Response(200, content=b"\xff\xfe"),
        httpx.ConnectError("no route"),
        httpx.ReadTimeout("too slow"),
        httpx.RemoteProtocolError("cut off"),
        refused(error("INTERNAL_SERVER_ERROR"), data={"shop": None}),
        refused(error("TIMEOUT")),
    ],
)
def test_what_may_pass_is_tried_five_times_with_full_jitter(failure: httpx.Response | Exception) -> None:
    clock = RecordingClock()
    assert ask(failure, failure, failure, failure, answered(SHOP), clock=clock) == SHOP
    assert clock.slept == [0.5, 1.0, 2.0, 4.0]
    with pytest.raises(ShopifyUnavailableError):
        ask(*[failure] * 5)


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (httpx.Response(400, json={"errors": "bad page_info"}), QueryRefusedError, "bad page_info"),
        (httpx.Response(402), ShopInactiveError, "unpaid"),
        (
            httpx.Response(403, json={"errors": "[API] This action requires merchant approval for read_orders scope."}),
            AccessDeniedError,
            "read_orders",
        ),
        (httpx.Response(404, json={"errors": "Not Found"}), QueryRefusedError, "SHOPIFY_SHOP"),
        (httpx.Response(418, json=["tea"]), QueryRefusedError, "refused"),
        (httpx.Response(422, json={"errors": {"base": ["no"]}}), QueryRefusedError, "base"),
        (httpx.Response(423), ShopInactiveError, "locked"),
        (httpx.Response(430), QueryRefusedError, "security"),
        (httpx.Response(404, text="<html>secret</html>"), QueryRefusedError, "HTTP 404"),
        (
            httpx.Response(301, headers={"Location": "https://new-name.myshopify.com/admin"}),
            ShopMovedError,
            r"redirects to new-name\.myshopify\.com",
        ),
        (httpx.Response(302, headers={"Location": "https://evil.example/?t=1"}), ShopMovedError, "to another address"),
        (refused(error("undefinedField", "Field 'x' doesn't exist")), QueryRefusedError, "Field 'x'"),
        (httpx.Response(200, json={"errors": "a text"}), QueryRefusedError, "a text"),
        (httpx.Response(200, json={"errors": ["odd"], "data": SHOP}), QueryRefusedError, "odd"),
        (refused(error("SHOP_INACTIVE")), ShopInactiveError, "inactive"),
        (
            refused(error("ACCESS_DENIED", "Access denied for orders field."), data=SHOP),
            AccessDeniedError,
            "orders field",
        ),
        (refused(error("BAD_REQUEST"), {"message": "second"}, data=SHOP), QueryRefusedError, "said so; second"),
    ],
)
def test_what_will_not_pass_is_told_at_once(answer: httpx.Response, expected: type[ShopifyError], words: str) -> None:
    clock = RecordingClock()
    script = Script(answer)
    with pytest.raises(expected, match=words):
        client_of(script, clock).execute(DOCUMENT, {})
    assert clock.slept == []


def test_an_error_carries_status_and_request_id() -> None:
    with pytest.raises(ShopInactiveError, match=r"HTTP 423, request req-9") as caught:
        ask(httpx.Response(423, headers={"X-Request-Id": "req-9"}))
    assert (caught.value.status, caught.value.request_id) == (423, "req-9")


def test_another_api_version_is_an_error_before_the_answer_is_looked_at() -> None:
    fell_forward = httpx.Response(200, json={"data": SHOP}, headers={"X-Shopify-API-Version": "2027-01"})
    with pytest.raises(VersionMismatchError, match=r"'2027-01' instead of 2026-10.*Upgrade"):
        ask(fell_forward)


def test_a_search_that_was_ignored_in_part_is_an_error() -> None:
    warned = {
        "search": [{"query": "procesed_at:1", "warnings": [{"field": "procesed_at", "message": "Invalid field"}]}]
    }
    response = httpx.Response(200, json={"data": SHOP, "extensions": warned})
    with pytest.raises(SearchIgnoredError, match="procesed_at: Invalid field"):
        ask(response)
    fine = {"search": [{"query": "processed_at:1", "warnings": []}, {"query": "x"}]}
    assert ask(httpx.Response(200, json={"data": SHOP, "extensions": fine})) == SHOP


# --- protected customer data


def withheld(*path: str | int) -> dict[str, object]:
    message = "This app is not approved to use the email field."
    return {"message": message, "path": list(path), "extensions": {"code": "ACCESS_DENIED"}}


def test_details_of_customers_may_be_withheld(caplog: pytest.LogCaptureFixture) -> None:
    partial = {"customers": {"nodes": [{"id": "1", "defaultEmailAddress": None}]}}
    answer = refused(withheld("customers", "nodes", 0, "defaultEmailAddress"), data=partial)
    assert ask(answer) == partial
    assert "protected_details_withheld" in caplog.text


@pytest.mark.parametrize("path", [("customers",), ("orders", "nodes", 0, "lineItems"), ()])
def test_anything_else_that_is_withheld_is_an_error(path: tuple[str | int, ...]) -> None:
    with pytest.raises(AccessDeniedError, match="not approved"):
        ask(refused(withheld(*path), data={"customers": None}))


def test_a_whole_answer_that_is_withheld_is_an_error() -> None:
    with pytest.raises(AccessDeniedError):
        ask(refused(withheld("customers", "nodes", 0, "displayName")))


# --- nothing secret gets out


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError(f"could not send {TOKEN}"),
        httpx.Response(403, json={"errors": f"{TOKEN} of aroha@example.com may not"}),
        refused(error("BAD_REQUEST", f"{TOKEN} of aroha@example.com may not" + " at all" * 100)),
    ],
)
def test_neither_token_nor_address_gets_into_an_error(failure: httpx.Response | Exception) -> None:
    with pytest.raises(ShopifyError) as caught:
        ask(*[failure] * 5)
    shown = "".join(traceback.format_exception(caught.value))
    shown_by_cause = f"{caught.value.__cause__!r} {caught.value.__context__!r}"
    for secret in (TOKEN, "aroha@example.com"):
        assert secret not in str(caught.value)
        assert secret not in shown_by_cause
    assert "could not send" not in shown
    assert len(str(caught.value)) < 500
