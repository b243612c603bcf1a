"""`sandbox --data`: a node that lacks what the queries ask for is named by its file, line and field."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.recorded import RecordedError, RecordedShop
from shopify_xero_pipeline.sandbox.recorded_fields import check_fields
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.shopify.queries import documents
from shopify_xero_pipeline_tests.support.stage import at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST

LATE = datetime(2026, 9, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def nodes() -> dict[str, list[Node]]:
    """The first days of a generated shop, as a folder would hold them."""
    shop = GeneratedShop(1, opened=FIRST)
    return {
        kind: [version.node for history in shop.versions(kind, LATE).values() for version in history if version.node]
        for kind in ("orders", "customers", "products")
    }


def record(folder: Path, nodes: dict[str, list[Node]]) -> Path:
    for kind, some in nodes.items():
        lines = (json.dumps(node, default=str) for node in some)
        (folder / f"{kind}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def without(nodes: dict[str, list[Node]], kind: str, line: int, *path: str | int) -> dict[str, list[Node]]:
    """Leave out one field of the node on a line, counted from 1."""
    changed = copy.deepcopy(nodes)
    inner: Any = changed[kind][line - 1]
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return changed


def test_whatever_a_generated_shop_holds_is_enough(tmp_path: Path, nodes: dict[str, list[Node]]) -> None:
    check_fields(RecordedShop(record(tmp_path, nodes)), documents())


@pytest.mark.parametrize(
    ("kind", "path", "field"),
    [
        ("orders", ("name",), "name"),
        ("orders", ("lineItems", "nodes", 0, "originalUnitPriceSet"), "lineItems[0].originalUnitPriceSet"),
        (
            "orders",
            ("transactions", 0, "amountSet", "shopMoney", "amount"),
            "transactions[0].amountSet.shopMoney.amount",
        ),
        ("orders", ("agreements", "nodes", 0, "sales", "nodes", 0, "actionType"), "agreements[0].sales[0].actionType"),
        ("products", ("title",), "title"),
        ("products", ("variants", "nodes", 0, "title"), "variants[0].title"),
    ],
)
def test_a_field_that_the_queries_ask_for_is_named_with_its_file_and_line(
    tmp_path: Path, nodes: dict[str, list[Node]], kind: str, path: tuple[str | int, ...], field: str
) -> None:
    folder = record(tmp_path, without(nodes, kind, 3, *path))
    result = CliRunner().invoke(cli.main, ["sandbox", "--data", str(folder), "--port", "1"])
    said = f"{folder / kind}.jsonl line 3: {field} is missing or null, and the queries ask for it"
    assert (result.exit_code, result.stderr.splitlines()[0]) == (2, f"Error: {said}")


def test_a_folder_in_the_place_of_a_recorded_file_is_named_without_an_error_number(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").mkdir()
    result = CliRunner().invoke(cli.main, ["sandbox", "--data", str(tmp_path), "--port", "1"])
    said = f"Error: {tmp_path / 'orders.jsonl'} cannot be used: Is a directory\n"
    assert (result.exit_code, result.stderr) == (2, said)


def test_of_many_broken_lines_the_first_are_named(tmp_path: Path, nodes: dict[str, list[Node]]) -> None:
    changed = nodes
    for line in range(1, 9):
        changed = without(changed, "orders", line, "name")
    with pytest.raises(RecordedError, match=r"line 1: name .*\n(.*\n){4}\.\.\. and 3 more$"):
        check_fields(RecordedShop(record(tmp_path, changed)), documents())


def test_what_follows_from_other_fields_or_may_be_null_may_be_missing(
    tmp_path: Path, nodes: dict[str, list[Node]]
) -> None:
    changed = copy.deepcopy(nodes)
    for order in changed["orders"]:
        for name in ("legacyResourceId", "test", "note", "cancelledAt", "presentmentCurrencyCode"):
            order.pop(name, None)
    check_fields(RecordedShop(record(tmp_path, changed)), documents())


def test_a_shop_node_without_what_is_asked_of_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text('{"currencyCode": null}')
    with pytest.raises(RecordedError, match=r"shop\.json: currencyCode is missing or null"):
        check_fields(RecordedShop(tmp_path), documents())


@pytest.fixture
def unchecked(tmp_path: Path, nodes: dict[str, list[Node]]) -> Iterator[Any]:
    folder = tmp_path / "data"
    folder.mkdir()
    shop = RecordedShop(record(folder, without(nodes, "orders", 1, "lineItems", "nodes", 0, "originalUnitPriceSet")))
    with staged(tmp_path, at(FIRST + timedelta(days=1)), shop) as stage:
        yield stage


@pytest.mark.campaign
def test_an_error_of_shopify_that_names_a_field_is_shown_with_it(unchecked: Any, instance: Any) -> None:
    report = unchecked.runner(instance).sync([FIRST])
    (failure,) = [one for one in report.failures if "Orders" in one]
    assert "Shopify had an internal error in Orders at the field orders.nodes." in failure
    assert "lineItems.nodes.0.originalUnitPriceSet" in failure
    assert "Cannot return null for non-nullable field LineItem.originalUnitPriceSet" in failure
