"""A shop and a Xero organisation read from files, and the sentences about broken ones."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shopify_xero_pipeline.sandbox.recorded import RecordedError, RecordedShop, recorded_xero_settings
from shopify_xero_pipeline_tests.sandbox.shopify.shop import GRAPHQL, Sandbox, customer, order, product
from shopify_xero_pipeline_tests.support.nodes import gid

LATE = datetime(2026, 12, 1, tzinfo=UTC)


def record(folder: Path, name: str, *nodes: dict[str, Any]) -> None:
    (folder / name).write_text("".join(json.dumps(node) + "\n" for node in nodes), encoding="utf-8")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_each_line_is_a_record_and_the_sandbox_serves_it(tmp_path: Path) -> None:
    record(tmp_path, "orders.jsonl", order(1), order(2))
    record(tmp_path, "customers.jsonl", customer())
    record(tmp_path, "products.jsonl", product())
    (tmp_path / "shop.json").write_text('{"ianaTimezone": "Europe/Paris", "currencyCode": "EUR", "name": "Miel"}')
    sandbox = Sandbox(RecordedShop(tmp_path))  # type: ignore[arg-type]
    found = sandbox.found("{ shop { name currencyCode } orders(first: 9) { nodes { name customer { displayName } } } }")
    assert found == {
        "shop": {"name": "Miel", "currencyCode": "EUR"},
        "orders": {"nodes": [{"name": f"#{n}", "customer": {"displayName": "Aroha Ngata"}} for n in (1, 2)]},
    }


def test_an_empty_folder_is_an_empty_shop_in_auckland(tmp_path: Path) -> None:
    shop = RecordedShop(tmp_path)
    assert shop.shop()["ianaTimezone"] == "Pacific/Auckland"
    assert shop.shop()["currencyCode"] == "NZD"
    assert [dict(shop.versions(kind, LATE)) for kind in ("orders", "customers", "products")] == [{}, {}, {}]
    assert recorded_xero_settings(tmp_path) == {}


def test_without_a_shop_file_the_currency_is_the_orders(tmp_path: Path) -> None:
    record(tmp_path, "orders.jsonl", order(1, currencyCode="GBP"))
    assert RecordedShop(tmp_path).shop()["currencyCode"] == "GBP"


def test_without_a_customers_file_the_customers_are_those_of_the_orders(tmp_path: Path) -> None:
    first = order(1, "2026-09-20T01:00:00Z", customer={"id": gid("Customer", 7), "displayName": "Aroha"})
    second = order(2, "2026-09-21T01:00:00Z", customer={"id": gid("Customer", 7), "displayName": "Aroha Ngata"})
    record(tmp_path, "orders.jsonl", second, first, order(3, customer=None))
    customers = RecordedShop(tmp_path).versions("customers", LATE)
    assert list(customers) == [gid("Customer", 7)]
    (version,) = customers[gid("Customer", 7)]
    assert version.at == at("2026-09-20T01:00:00Z")
    assert version.node["displayName"] == "Aroha Ngata"
    assert version.node["updatedAt"] == "2026-09-21T01:00:00Z"


def test_a_customer_known_by_id_alone_is_still_a_customer(tmp_path: Path) -> None:
    record(tmp_path, "orders.jsonl", order(1))
    sandbox = Sandbox(RecordedShop(tmp_path))  # type: ignore[arg-type]
    found = sandbox.found("{ orders(first: 1) { nodes { customer { id displayName firstName updatedAt } } } }")
    assert found["orders"]["nodes"][0]["customer"] == {
        "id": gid("Customer", 7),
        "displayName": "",
        "firstName": None,
        "updatedAt": "2026-09-20T01:00:00Z",
    }


def test_an_order_that_the_folder_holds_no_longer_is_null_by_its_id_and_in_no_list_or_count(tmp_path: Path) -> None:
    query = """query($id: ID!) { order(id: $id) { name } node(id: $id) { id } nodes(ids: [$id]) { id }
               orders(first: 9) { nodes { name } } ordersCount(limit: null) { count } }"""
    record(tmp_path, "orders.jsonl", order(1), order(2))
    before = Sandbox(RecordedShop(tmp_path)).found(query, id=gid("Order", 2))  # type: ignore[arg-type]
    assert (before["order"], before["node"]) == ({"name": "#2"}, {"id": gid("Order", 2)})
    record(tmp_path, "orders.jsonl", order(1))
    assert Sandbox(RecordedShop(tmp_path)).found(query, id=gid("Order", 2)) == {  # type: ignore[arg-type]
        "order": None,
        "node": None,
        "nodes": [None],
        "orders": {"nodes": [{"name": "#1"}]},
        "ordersCount": {"count": 1},
    }


def test_a_record_is_there_from_its_creation_and_further_lines_are_its_later_states(tmp_path: Path) -> None:
    placed, refunded = "2026-09-20T01:00:00Z", "2026-09-22T01:00:00Z"
    later = order(1, placed, updatedAt=refunded, displayFinancialStatus="REFUNDED")
    record(tmp_path, "orders.jsonl", order(1, placed, updatedAt="2026-09-20T02:00:00Z"), later)
    shop = RecordedShop(tmp_path)
    assert shop.versions("orders", at("2026-09-20T00:59:59Z")) == {}
    (only,) = shop.versions("orders", at("2026-09-21T00:00:00Z"))[gid("Order", 1)]
    assert only.at == at(placed)
    history = shop.versions("orders", LATE)[gid("Order", 1)]
    assert [version.at for version in history] == [at(placed), at(refunded)]
    assert history[1].node["displayFinancialStatus"] == "REFUNDED"


def test_numbers_stay_exact(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").write_text(json.dumps(order(1))[:-1] + ', "weight": 0.10}\n\n')
    node = RecordedShop(tmp_path).versions("orders", LATE)[gid("Order", 1)][0].node
    assert node["weight"] == Decimal("0.10")


CUT = order(2, lineItems={"nodes": [], "pageInfo": {"hasNextPage": True}})


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[1]", "expected one node"),
        ("{}", "id None is no gid://shopify/Order/<number>"),
        (json.dumps(customer()), "is no gid://shopify/Order/<number>"),
        (
            json.dumps({"id": gid("Order", 2)}),
            "updatedAt, processedAt, createdAt are missing, so",
        ),
        (json.dumps(order(2, "yesterday")), "'yesterday' is no timestamp"),
        (json.dumps(order(2, "2026-09-20T01:00:00")), "has no time zone"),
        (json.dumps(CUT), "lineItems has a next page"),
    ],
)
def test_a_broken_line_is_named_by_file_and_number(tmp_path: Path, line: str, complaint: str) -> None:
    (tmp_path / "orders.jsonl").write_text(json.dumps(order(1)) + "\n" + line + "\n")
    with pytest.raises(RecordedError) as caught:
        RecordedShop(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'orders.jsonl'} line 2: ")
    assert complaint in str(caught.value)


def test_a_line_that_is_no_text_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").write_bytes(b"\xff\n")
    with pytest.raises(RecordedError, match="line 1: not JSON"):
        RecordedShop(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "expected one Shop node"),
        ('{"ianaTimezone": "Mars/North"}', "'Mars/North' is no time zone"),
    ],
)
def test_a_broken_shop_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "shop.json").write_text(text)
    with pytest.raises(RecordedError, match=complaint):
        RecordedShop(tmp_path)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordedError, match="is no folder"):
        RecordedShop(tmp_path / "nowhere")


def test_xero_s_recorded_settings_are_read_with_exact_numbers(tmp_path: Path) -> None:
    (tmp_path / "xero_tax_rates.json").write_text('{"TaxRates": [{"TaxType": "OUTPUT2", "EffectiveRate": 15.0000}]}')
    (tmp_path / "xero_organisation.json").write_text('{"Organisations": [{"Name": "Miel"}]}')
    settings = recorded_xero_settings(tmp_path)
    assert set(settings) == {"tax_rates", "organisation"}
    assert settings["tax_rates"]["TaxRates"][0]["EffectiveRate"] == Decimal("15.0000")


def test_a_recorded_amount_that_is_a_json_number_is_still_written_as_money(tmp_path: Path) -> None:
    text = json.dumps(order(1)).replace('"23.00"', "23.10")
    (tmp_path / "orders.jsonl").write_text(text + "\n")
    sandbox = Sandbox(RecordedShop(tmp_path))  # type: ignore[arg-type]
    query = {"query": "{ orders(first: 1) { nodes { totalPriceSet { shopMoney { amount } } } } }"}
    assert '"amount":"23.1"' in sandbox.http.post(GRAPHQL, json=query).text
