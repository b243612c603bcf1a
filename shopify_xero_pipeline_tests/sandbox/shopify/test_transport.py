"""Tokens, versions, headers and what is wrong before an operation runs (E1-E3)."""

import httpx
import pytest

from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline_tests.sandbox.shopify.shop import GRAPHQL, Sandbox, code, stocked

TOKEN = "/admin/oauth/access_token"
GRANT = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox"}
SHOP = {"query": "{ shop { name } }"}
UNRECOGNIZED = {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}


def with_token(sandbox: Sandbox, token: str) -> httpx.Response:
    return sandbox.http.post(GRAPHQL, json=SHOP, headers={"X-Shopify-Access-Token": token})


@pytest.mark.parametrize("kind", ["data", "json"])
def test_a_token_is_granted_for_a_form_and_for_json(kind: str) -> None:
    sandbox = Sandbox()
    answer = sandbox.http.post(TOKEN, **{kind: GRANT})  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert answer.json()["expires_in"] == 86_399
    assert "read_all_orders" in answer.json()["scope"].split(",")
    assert with_token(sandbox, answer.json()["access_token"]).json()["data"] == {"shop": {"name": "Sandbox"}}


def test_a_token_dies_after_its_lifetime_and_a_new_one_does_not_kill_the_old_one() -> None:
    sandbox = Sandbox(options=ShopifyOptions(token_lifetime=100))
    first = sandbox.http.post(TOKEN, json=GRANT).json()["access_token"]
    sandbox.clock.sleep(60)
    second = sandbox.http.post(TOKEN, json=GRANT).json()["access_token"]
    assert first != second
    assert with_token(sandbox, first).status_code == 200
    sandbox.clock.sleep(40)
    assert with_token(sandbox, first).status_code == 401
    assert with_token(sandbox, second).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong"])
def test_an_unknown_token_is_refused_with_a_text_under_errors(token: str) -> None:
    answer = with_token(Sandbox(), token)
    assert (answer.status_code, answer.json()) == (401, UNRECOGNIZED)


def test_a_wrong_secret_is_refused_with_a_text_under_errors() -> None:
    answer = Sandbox().http.post(TOKEN, json={**GRANT, "client_secret": "wrong"})
    assert (answer.status_code, answer.json()) == (401, UNRECOGNIZED)


@pytest.mark.parametrize("body", [{}, {"grant_type": "password"}])
def test_another_grant_is_a_bad_request(body: dict[str, str]) -> None:
    assert Sandbox().http.post(TOKEN, json=body).status_code == 400
    assert Sandbox().http.post(TOKEN, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (ShopifyOptions(shop_permitted=False), "shop_not_permitted"),
        (ShopifyOptions(installed=False), "app_not_installed"),
    ],
)
def test_a_shop_of_another_organisation_or_without_the_app_grants_nothing(options: ShopifyOptions, text: str) -> None:
    answer = Sandbox(options=options).http.post(TOKEN, json=GRANT)
    assert answer.status_code == 400
    assert text in answer.text


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("2026-10", "2026-10"),
        ("2026-01", "2026-01"),
        ("unstable", "unstable"),
        ("2025-10", "2026-01"),
        ("2024-01", "2026-01"),
    ],
)
def test_an_unsupported_version_falls_forward_to_the_oldest_supported_one(asked: str, served: str) -> None:
    answer = Sandbox().http.post(f"/admin/api/{asked}/graphql.json", json=SHOP)
    assert answer.status_code == 200
    assert answer.headers["X-Shopify-API-Version"] == served


def test_every_answer_carries_a_request_id_of_its_own_and_is_json() -> None:
    sandbox = Sandbox()
    answers = [sandbox.http.post(GRAPHQL, json=SHOP) for _ in range(2)]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 2
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"query": 1}', b'{"query": "{shop{name}}", "variables": 3}'])
def test_a_body_that_is_no_query_is_a_bad_request(body: bytes) -> None:
    assert Sandbox().http.post(GRAPHQL, content=body).status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ shop { colour } }", "undefinedField"),
        ("{ shop }", "selectionMismatch"),
        ("{ order { id } }", "missingRequiredArguments"),
        ('{ orders(first: "2") { nodes { id } } }', "argumentLiteralsIncompatible"),
        ("{ orders(first: 2, colour: 1) { nodes { id } } }", "argumentNotAccepted"),
        ("{ orders(first: $n) { nodes { id } } }", "variableNotDefined"),
        ("query($q: Int) { orders(first: 1, query: $q) { nodes { id } } }", "variableMismatch"),
        ("query($id: ID!) { order(id: $id) { id } }", "INVALID_VARIABLE"),
        ("{ shop { name }", "parseError"),
    ],
)
def test_a_document_that_does_not_fit_the_schema_is_answered_with_a_code_and_without_data(
    query: str, expected: str
) -> None:
    answer = Sandbox().ask(query)
    assert "data" not in answer
    assert code(answer) == expected


def test_the_schema_can_be_asked_for() -> None:
    query = '{ __schema { queryType { name } mutationType { name } } __type(name: "MoneyV2") { kind } }'
    found = Sandbox().found(query)
    assert found["__schema"] == {"queryType": {"name": "QueryRoot"}, "mutationType": {"name": "Mutation"}}
    assert found["__type"] == {"kind": "OBJECT"}


def test_no_record_can_be_changed() -> None:
    answer = Sandbox(stocked()).ask(
        'mutation { orderCancel(orderId: "gid://shopify/Order/1001") { userErrors { message } } }'
    )
    assert "data" not in answer
    assert code(answer) == "undefinedField"


def test_the_operation_is_chosen_by_name() -> None:
    sandbox = Sandbox()
    both = "query A { shop { name } } query B { shop { currencyCode } }"
    chosen = sandbox.http.post(GRAPHQL, json={"query": both, "operationName": "B"}).json()
    assert chosen["data"] == {"shop": {"currencyCode": "NZD"}}
    assert "data" not in sandbox.ask(both)


def test_the_shop_tells_the_offset_of_the_day_and_the_app_its_scopes() -> None:
    sandbox = Sandbox(stocked())
    query = "{ shop { timezoneOffset timezoneOffsetMinutes } currentAppInstallation { accessScopes { handle } } }"
    before = sandbox.found(query)
    assert before["shop"] == {"timezoneOffset": "+1200", "timezoneOffsetMinutes": 720}
    assert {"handle": "read_orders"} in before["currentAppInstallation"]["accessScopes"]
    sandbox.clock.sleep(7 * 86_400)  # past 27 September 2026, when New Zealand's clocks go forward
    assert sandbox.found(query)["shop"] == {"timezoneOffset": "+1300", "timezoneOffsetMinutes": 780}


def test_the_versions_are_listed_and_a_shop_without_shopify_payments_has_no_account() -> None:
    query = "{ publicApiVersions { handle supported } shopifyPaymentsAccount { activated defaultCurrency } }"
    found = Sandbox().found(query)
    assert {"handle": "2026-10", "supported": True} in found["publicApiVersions"]
    assert {"handle": "2027-01", "supported": False} in found["publicApiVersions"]
    assert found["shopifyPaymentsAccount"] is None
    with_payments = Sandbox(options=ShopifyOptions(payments=True)).found(query)
    assert with_payments["shopifyPaymentsAccount"] == {"activated": True, "defaultCurrency": "NZD"}
