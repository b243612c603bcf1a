"""B1 to B8: tokens, tenants, scopes, routes, limits and idempotency, in Xero's order."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from shopify_xero_pipeline.sandbox.xero.app import xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.demo_company import TENANT_ID
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.sandbox.xero.sessions import ACCESS_LIFE
from shopify_xero_pipeline_tests.sandbox.xero.caller import ROOT, TOKEN_URL, Caller, invoice, read

AUTHORIZE = "https://login.xero.com/identity/connect/authorize"


# B1 tokens


def test_a_custom_connection_gets_a_token_of_30_minutes_and_no_refresh_token(xero: Caller) -> None:
    answer = xero.token(grant_type="client_credentials", scope="accounting.contacts").json()
    assert (answer["expires_in"], answer["token_type"], answer["scope"]) == (1800, "Bearer", "accounting.contacts")
    assert "refresh_token" not in answer


def test_a_refresh_token_rotates_and_the_old_one_is_good_for_another_30_minutes(xero: Caller) -> None:
    first = xero.sandbox.sessions.grant_refresh_token()
    second = xero.token(grant_type="refresh_token", refresh_token=first).json()["refresh_token"]
    assert second != first
    xero.clock.sleep(30 * 60)
    again = xero.token(grant_type="refresh_token", refresh_token=first)
    assert again.status_code == 200
    xero.clock.sleep(1)
    refused = xero.token(grant_type="refresh_token", refresh_token=first)
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_grant"})
    assert xero.token(grant_type="refresh_token", refresh_token=second).status_code == 200


def test_a_refresh_token_dies_after_60_days_and_survives_a_restart(xero: Caller) -> None:
    token = xero.sandbox.sessions.grant_refresh_token()
    restarted = Caller(XeroBooks.from_json(xero.books.to_json()))
    assert restarted.token(grant_type="refresh_token", refresh_token=token).status_code == 200
    xero.clock.sleep(61 * 86_400)
    assert xero.token(grant_type="refresh_token", refresh_token=token).json() == {"error": "invalid_grant"}


BACK = "http://localhost/cb"


def asked(xero: Caller, **query: str) -> httpx.Response:
    given = {"response_type": "code", "client_id": "sandbox", "redirect_uri": BACK, "state": "s"}
    return xero.client.get(AUTHORIZE, params=given | {"scope": "offline_access accounting.contacts"} | query)


def sent_back(answer: httpx.Response) -> dict[str, str]:
    """Return what the browser was sent back with."""
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{BACK}?")
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def _consent(xero: Caller, scope: str, **query: str) -> str:
    found = sent_back(asked(xero, scope=scope, **query))
    assert found["state"] == "s"
    return found["code"]


def redeemed(xero: Caller, code: str, **form: str) -> dict[str, str]:
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
    found: dict[str, str] = xero.token(**given | form).json()
    return found


INVALID_GRANT = {"error": "invalid_grant"}


def test_a_code_is_good_once_and_for_5_minutes(xero: Caller) -> None:
    code = _consent(xero, "offline_access accounting.contacts")
    assert redeemed(xero, code)["refresh_token"]
    assert redeemed(xero, code) == INVALID_GRANT
    late = _consent(xero, "accounting.contacts")
    xero.clock.sleep(301)
    assert redeemed(xero, late) == INVALID_GRANT
    assert redeemed(xero, "nonsense") == INVALID_GRANT


def test_a_code_is_only_good_with_the_address_it_was_sent_to(xero: Caller) -> None:
    code = _consent(xero, "accounting.contacts")
    assert redeemed(xero, code, redirect_uri="http://localhost/elsewhere") == INVALID_GRANT
    assert xero.token(grant_type="authorization_code", code=code).json() == INVALID_GRANT
    assert "access_token" in redeemed(xero, code)


def test_without_offline_access_there_is_no_refresh_token(xero: Caller) -> None:
    assert "refresh_token" not in redeemed(xero, _consent(xero, "openid accounting.contacts"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "other"},
        {"redirect_uri": "x"},
        {"redirect_uri": ""},
        {"redirect_uri": "http://127.0.0.1/cb"},
        {"redirect_uri": "http://example.com/cb"},
        {"redirect_uri": "https:///cb"},
    ],
)
def test_nobody_is_sent_back_for_an_unknown_app_or_to_an_address_that_is_not_safe(
    xero: Caller, wrong: dict[str, str]
) -> None:
    answer = asked(xero, **wrong)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})


def test_a_browser_may_be_sent_back_over_https(xero: Caller) -> None:
    assert asked(xero, redirect_uri="https://example.com/cb").headers["Location"].startswith("https://example.com/cb?")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "accounting.transactions"}, "invalid_scope"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge": "c" * 43, "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
def test_what_is_wrong_with_a_request_for_consent_is_told_to_the_app(
    xero: Caller, wrong: dict[str, str], error: str
) -> None:
    assert sent_back(asked(xero, **wrong)) == {"error": error, "state": "s"}


# RFC 7636, appendix B.
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_an_app_without_a_secret_has_to_show_with_pkce_that_it_is_the_one_that_asked() -> None:
    xero = Caller()
    xero.options.client_secret = ""
    assert sent_back(asked(xero)) == {"error": "invalid_request", "state": "s"}
    code = _consent(xero, "offline_access", code_challenge=CHALLENGE, code_challenge_method="S256")

    def redeem(**form: str) -> dict[str, str]:
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": "sandbox"}
        found: dict[str, str] = xero.client.post(TOKEN_URL, data=given | form, headers={"Authorization": ""}).json()
        return found

    for wrong in ("", "v" * 43, VERIFIER[:42], "v" * 129):
        assert redeem(code_verifier=wrong) == INVALID_GRANT
    refresh = redeem(code_verifier=VERIFIER)["refresh_token"]
    assert "access_token" in redeem(grant_type="refresh_token", refresh_token=refresh)
    assert redeem(grant_type="client_credentials") == {"error": "unauthorized_client"}
    assert redeem(client_id="other") == {"error": "invalid_client"}


def test_a_verifier_for_a_code_that_was_asked_for_without_a_challenge_is_refused(xero: Caller) -> None:
    assert redeemed(xero, _consent(xero, "accounting.contacts"), code_verifier=VERIFIER) == INVALID_GRANT


@pytest.mark.parametrize("header", ["Basic c2FuZGJveDp3cm9uZw==", "Basic ???", ""])
def test_a_wrong_secret_is_an_invalid_client(xero: Caller, header: str) -> None:
    answer = xero.client.post(TOKEN_URL, data={"grant_type": "client_credentials"}, headers={"Authorization": header})
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_client"})
    revoked = xero.client.post("https://identity.xero.com/connect/revocation", headers={"Authorization": header})
    assert revoked.json() == {"error": "invalid_client"}


def test_the_secret_may_stand_in_the_form(xero: Caller) -> None:
    form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox"}
    assert xero.client.post(TOKEN_URL, data=form, headers={"Authorization": ""}).status_code == 200


@pytest.mark.parametrize("scope", ["accounting.transactions", "offline_access", "accounting.reports.read"])
def test_broad_foreign_and_user_scopes_are_invalid_for_a_custom_connection(xero: Caller, scope: str) -> None:
    answer = xero.token(grant_type="client_credentials", scope=scope)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_scope"})


def test_an_unknown_grant_is_unsupported(xero: Caller) -> None:
    assert xero.token(grant_type="password").json() == {"error": "unsupported_grant_type"}


def test_revoking_takes_every_refresh_token_and_the_connection(xero: Caller) -> None:
    token = xero.sandbox.sessions.grant_refresh_token()
    revocation = "https://identity.xero.com/connect/revocation"
    for _ in range(2):
        answer = xero.client.post(revocation, data={"token": token}, auth=("sandbox", "sandbox"))
        assert (answer.status_code, answer.content) == (200, b"")
    assert xero.token(grant_type="refresh_token", refresh_token=token).json() == {"error": "invalid_grant"}


# B2 connections


def test_connections_are_a_bare_list_and_need_no_tenant(xero: Caller) -> None:
    (connection,) = xero.client.get("https://api.xero.com/connections").json()
    assert (connection["tenantId"], connection["tenantType"]) == (TENANT_ID, "ORGANISATION")
    assert connection["tenantName"] == "Demo Company (NZ)"
    assert connection.keys() == {
        "id", "authEventId", "tenantId", "tenantType", "tenantName", "createdDateUtc", "updatedDateUtc",
    }  # fmt: skip


def test_a_removed_connection_is_gone_and_its_tenant_forbidden(xero: Caller) -> None:
    (connection,) = xero.client.get("https://api.xero.com/connections").json()
    where = f"https://api.xero.com/connections/{connection['id']}"
    assert [xero.client.delete(where).status_code for _ in range(2)] == [204, 404]
    assert xero.client.get("https://api.xero.com/connections").json() == []
    assert xero.send("GET", "Contacts", headers={"xero-tenant-id": TENANT_ID}).status_code == 403


# B3 authentication


def test_a_missing_token_a_broken_one_and_a_code_are_401(xero: Caller) -> None:
    for header in ("", "Bearer x.y.z", "Bearer " + _consent(xero, ""), "Basic x"):
        answer = xero.send("GET", "Contacts", headers={"Authorization": header})
        assert (answer.status_code, answer.json()["Detail"]) == (401, "AuthenticationUnsuccessful")
        assert answer.json().keys() == {"Type", "Title", "Status", "Detail", "Instance", "Extensions"}


def test_an_expired_token_says_when_it_expired(xero: Caller) -> None:
    xero.clock.sleep(ACCESS_LIFE.total_seconds())
    answer = xero.send("GET", "Contacts")
    assert answer.status_code == 401
    assert answer.json()["Detail"] == "TokenExpired: token expired at 09/21/2026 00:30:00"


def test_a_foreign_tenant_is_forbidden_and_only_a_custom_connection_may_name_none(xero: Caller) -> None:
    assert xero.send("GET", "Contacts", headers={"xero-tenant-id": ""}).status_code == 200
    assert xero.send("GET", "Contacts", headers={"xero-tenant-id": TENANT_ID.upper()}).status_code == 200
    foreign = xero.send("GET", "Contacts", headers={"xero-tenant-id": "11111111-1111-4111-8111-111111111111"})
    assert (foreign.status_code, foreign.json()["Title"]) == (403, "Forbidden")
    token = xero.sandbox.sessions.grant_refresh_token()
    access = xero.token(grant_type="refresh_token", refresh_token=token).json()["access_token"]
    assert xero.send("GET", "Contacts", headers={"Authorization": f"Bearer {access}"}).status_code == 403


def test_a_missing_scope_is_401_with_xeros_own_spelling(xero: Caller) -> None:
    xero.sign_in("accounting.contacts.read")
    assert xero.send("GET", "Contacts").status_code == 200
    for method, path in (("PUT", "Contacts"), ("GET", "Invoices"), ("GET", "Items"), ("GET", "Organisation")):
        answer = xero.send(method, path)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "insufficent_scope")
        assert answer.json()["Detail"] == "AuthorizationUnsuccessful"


def test_items_are_open_to_the_invoice_scope_and_to_the_settings_scope(xero: Caller) -> None:
    for scope in ("accounting.invoices.read", "accounting.settings.read"):
        xero.sign_in(scope)
        assert xero.send("GET", "Items").status_code == 200


# B4, B5 formats and routes


def test_without_an_accept_header_for_json_the_sandbox_fails_loudly(xero: Caller) -> None:
    answer = xero.send("GET", "Contacts", headers={"Accept": "*/*"})
    assert (answer.status_code, "JSON only" in answer.text) == (406, True)


@pytest.mark.parametrize(
    "path", ["Unheard", "Contacts/nobody", "Invoices/SH-404", "Items/none", "Payments/x", "Accounts/x", "TaxRates/x"]
)
def test_an_unknown_route_or_record_is_a_404_of_html(xero: Caller, path: str) -> None:
    answer = xero.send("GET", path)
    assert (answer.status_code, answer.text) == (404, "The resource you're looking for cannot be found")
    assert answer.headers["Content-Type"].startswith("text/html")


def test_paths_are_known_in_any_letters(xero: Caller) -> None:
    for path in ("invoices", "ACCOUNTS", "taxrates", "organisation"):
        assert xero.send("GET", path).status_code == 200


def test_a_path_outside_the_api_and_a_wrong_method_are_404_too(xero: Caller) -> None:
    assert xero.client.get("https://api.xero.com/elsewhere").status_code == 404
    assert xero.send("DELETE", "Invoices").status_code == 404


def test_what_only_the_real_api_has_is_501(xero: Caller) -> None:
    answer = xero.send("GET", "BankTransactions")
    assert (answer.status_code, answer.json()["ErrorNumber"]) == (501, 20)


def test_a_url_over_2090_characters_is_a_misleading_404(xero: Caller) -> None:
    guid = "7f0d6c1e-52f5-4a0f-8f3c-2f6a3f1f4c10"
    fits = ",".join([guid] * 50)
    assert xero.send("GET", "Invoices", IDs=fits).status_code == 200
    assert xero.send("GET", "Invoices", IDs=fits + "," + fits).status_code == 404


def test_a_bad_guid_in_a_body_is_a_400_for_the_whole_request(xero: Caller) -> None:
    bad = invoice("SH-2", Contact={"ContactID": "12"})
    answer = xero.send("PUT", "Invoices", {"Invoices": [invoice(), bad]})
    assert (answer.status_code, answer.json()["ErrorNumber"]) == (400, 14)
    assert answer.json()["Message"].startswith("Guid should contain 32 digits with 4 dashes")
    assert xero.books.documents == {}


# B6 limits


def test_the_61st_call_of_a_minute_meets_a_429_with_an_empty_body(xero: Caller) -> None:
    xero.options.minute_limit = 60
    answers = [xero.send("GET", "Currencies") for _ in range(61)]
    assert [answer.status_code for answer in answers] == [200] * 60 + [429]
    assert answers[59].headers["X-MinLimit-Remaining"] == "0"
    refused = answers[60]
    assert (refused.content, refused.headers["X-Rate-Limit-Problem"]) == (b"", "minute")
    assert "Content-Type" not in refused.headers
    wait = int(refused.headers["Retry-After"])
    assert 0 < wait <= 60
    xero.clock.sleep(wait - 1)
    assert xero.send("GET", "Currencies").status_code == 429
    xero.clock.sleep(1)
    assert xero.send("GET", "Currencies").status_code == 200


def test_the_day_limit_is_a_fixed_window_and_may_send_one_away_for_hours(xero: Caller) -> None:
    xero.options.day_limit = 50
    answers = [xero.send("GET", "Currencies") for _ in range(51)]
    last, refused = answers[-2:]
    assert (last.status_code, last.headers["X-DayLimit-Remaining"]) == (200, "0")
    assert (refused.status_code, refused.headers["X-Rate-Limit-Problem"]) == (429, "day")
    assert int(refused.headers["Retry-After"]) > 3600
    xero.clock.sleep(int(refused.headers["Retry-After"]))
    xero.sign_in()
    assert xero.send("GET", "Currencies").headers["X-DayLimit-Remaining"] == "49"


def test_above_the_starter_tier_a_day_has_5000_calls() -> None:
    answer = Caller(day_limit=XeroOptions().day_limit).send("GET", "Currencies")
    assert answer.headers["X-DayLimit-Remaining"] == "4999"


def test_every_answer_says_what_is_left_and_failed_calls_count_too(xero: Caller) -> None:
    xero.options.minute_limit = 60
    answers = [xero.send("GET", "Currencies"), xero.send("GET", "Nothing"), xero.send("PUT", "Contacts", {})]
    assert [answer.status_code for answer in answers] == [200, 404, 400]
    assert [answer.headers["X-MinLimit-Remaining"] for answer in answers[:1]] == ["59"]
    for answer in answers:
        assert {"x-daylimit-remaining", "x-minlimit-remaining", "x-appminlimit-remaining"} <= answer.headers.keys()
    assert xero.sandbox.limits.calls == 3
    assert len({answer.headers["Xero-Correlation-Id"] for answer in answers}) == 3


def test_the_app_wide_minute_has_no_retry_after(xero: Caller) -> None:
    xero.options.app_minute_limit = 1
    xero.send("GET", "Currencies")
    refused = xero.send("GET", "Currencies")
    assert (refused.status_code, refused.headers["X-Rate-Limit-Problem"]) == (429, "appminute")
    assert "Retry-After" not in refused.headers


def test_a_sixth_call_in_flight_is_refused_without_a_retry_after() -> None:
    xero = Caller()
    app = xero_app(xero.books, xero.clock, options=xero.options)
    headers = dict(xero.client.headers)

    async def six() -> list[httpx.Response]:
        finish = asyncio.Event()

        async def slow_body() -> AsyncIterator[bytes]:
            await finish.wait()
            yield b'{"Name": "Ann"}'

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), headers=headers) as client:
            held = [asyncio.create_task(client.put(ROOT + "Contacts", content=slow_body())) for _ in range(5)]
            while app.state.xero.limits.in_flight < 5:
                await asyncio.sleep(0)
            sixth = await client.get(ROOT + "Currencies")
            finish.set()
            return [sixth, *await asyncio.gather(*held)]

    sixth, *others = asyncio.run(six())
    assert (sixth.status_code, sixth.headers["X-Rate-Limit-Problem"]) == (429, "concurrent")
    assert "Retry-After" not in sixth.headers
    assert sorted(answer.status_code for answer in others) == [200, 400, 400, 400, 400]
    assert app.state.xero.limits.in_flight == 0


def test_limits_come_before_idempotency_so_a_429_is_not_remembered(xero: Caller) -> None:
    xero.options.minute_limit = 0
    keyed = {"Idempotency-Key": "k"}
    assert xero.send("PUT", "Contacts", {"Name": "Ann"}, keyed).status_code == 429
    xero.options.minute_limit = 10
    assert xero.send("PUT", "Contacts", {"Name": "Ann"}, keyed).status_code == 200


# B7 size


def test_more_than_3_5_megabytes_are_413(xero: Caller) -> None:
    assert xero.send("PUT", "Contacts", {"Name": "x" * 3_500_000}).status_code == 413


def test_more_than_500_items_are_400(xero: Caller) -> None:
    items = [{"Code": str(number)} for number in range(501)]
    assert xero.send("PUT", "Items", {"Items": items}).status_code == 400
    assert len(xero.put("Items", *items[:500])) == 500


# B8 idempotency


def test_a_repeated_key_replays_the_answer_word_for_word_and_still_counts(xero: Caller) -> None:
    keyed = {"Idempotency-Key": "k" * 128}
    first = xero.send("PUT", "Invoices", {"Invoices": [invoice()]}, keyed, summarizeErrors="false")
    calls = xero.sandbox.limits.calls
    again = xero.send("PUT", "Invoices", {"Invoices": [invoice()]}, keyed, summarizeErrors="false")
    assert again.content == first.content
    assert len(xero.books.documents) == 1
    assert (xero.sandbox.limits.calls, xero.sandbox.idempotency.replays) == (calls + 1, 1)


def test_a_400_is_replayed_too(xero: Caller) -> None:
    keyed = {"Idempotency-Key": "k"}
    answers = [xero.send("PUT", "Contacts", {"Contacts": [{}, {"Name": "Ann"}]}, keyed) for _ in range(2)]
    assert answers[0].status_code == 400
    assert answers[0].content == answers[1].content


def test_a_key_used_with_another_body_url_or_method_is_refused(xero: Caller) -> None:
    keyed = {"Idempotency-Key": "k"}
    xero.send("PUT", "Contacts", {"Name": "Ann"}, keyed)
    others = [
        xero.send("PUT", "Contacts", {"Name": "Bob"}, keyed),
        xero.send("POST", "Contacts", {"Name": "Ann"}, keyed),
        xero.send("PUT", "Contacts", {"Name": "Ann"}, keyed, summarizeErrors="false"),
    ]
    for answer in others:
        assert answer.status_code == 400
        assert answer.json()["Message"] == "Idempotency Key: k is used with a different request."


def test_after_six_minutes_a_key_is_new_again(xero: Caller) -> None:
    keyed = {"Idempotency-Key": "k"}
    xero.invoiced()
    body = {"Payments": [{"Invoice": {"InvoiceNumber": "SH-1"}, "Account": {"Code": "601"}, "Amount": 10}]}
    xero.send("PUT", "Payments", body, keyed)
    xero.clock.sleep(359)
    xero.send("PUT", "Payments", body, keyed)
    assert len(xero.books.payments) == 1
    xero.clock.sleep(1)
    xero.send("PUT", "Payments", body, keyed)
    assert len(xero.books.payments) == 2


def test_a_key_over_128_characters_and_an_empty_one_are_400(xero: Caller) -> None:
    long = xero.send("PUT", "Contacts", {"Name": "Ann"}, {"Idempotency-Key": "k" * 129})
    assert (long.status_code, "k" * 129 in long.text, "129" in long.text) == (400, True, True)
    assert xero.send("PUT", "Contacts", {"Name": "Ann"}, {"Idempotency-Key": ""}).status_code == 400
    assert xero.books.contacts == {}


def test_keys_of_reads_and_deletes_are_ignored(xero: Caller) -> None:
    xero.put("Items", {"Code": "A"})
    keyed = {"Idempotency-Key": "k"}
    assert read(xero.send("GET", "Items", headers=keyed))["Items"]
    assert [xero.send("DELETE", "Items/A", headers=keyed).status_code for _ in range(2)] == [204, 404]
    assert read(xero.send("GET", "Items", headers=keyed))["Items"] == []
