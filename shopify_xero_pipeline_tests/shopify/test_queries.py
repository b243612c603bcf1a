"""Tests of the documents: valid in the real schema, if available, and affordable (docs/contracts/shopify.md §3.2)."""

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from shopify_xero_pipeline.shopify import reader
from shopify_xero_pipeline.shopify.first_pages import first_page_sizes
from shopify_xero_pipeline.shopify.queries import document, documents
from shopify_xero_pipeline_tests.shopify.cost import requested_cost

pytestmark = pytest.mark.campaign

PROJECT = Path(__file__).parents[2]
SCHEMA = PROJECT.parent / "shared" / "contracts" / "shopify_admin_2026-10.graphql"
FILES = sorted((PROJECT / "shopify_xero_pipeline" / "shopify" / "graphql").glob("*.graphql"))


@pytest.fixture(scope="module")
def real_schema() -> GraphQLSchema:
    if not SCHEMA.exists():
        pytest.skip("the real Admin schema (3.7 MB, npm package @shopify/dev-mcp) is not part of this project")
    return build_schema(SCHEMA.read_text(encoding="utf-8"), assume_valid=True)


def test_the_files_together_and_every_operation_are_valid_in_the_real_schema(real_schema: GraphQLSchema) -> None:
    texts = {"files": "\n".join(path.read_text(encoding="utf-8") for path in FILES)} | dict(documents())
    assert {name: validate(real_schema, parse(text)) for name, text in texts.items()} == {name: [] for name in texts}


def test_every_operation_is_a_document_of_its_own() -> None:
    assert len(documents()) == 24
    assert "fragment LineItemFields" not in document("ChangedOrders")
    with pytest.raises(KeyError):
        document("Nothing")


SENT = sorted({*documents()} - {"BulkOrders"})  # Shopify executes it itself, outside the rate limit


@pytest.mark.parametrize("operation", SENT)
def test_the_first_page_asked_for_costs_less_than_a_query_may(operation: str) -> None:
    size = reader._first_pages().get(operation)
    rows = size.rows if size else 250
    assert requested_cost(document(operation), {**first_page_sizes(rows), "ids": ["id"] * rows}) < 1000


@pytest.mark.parametrize("operation", ["Orders", "Products"])
def test_the_largest_page_a_list_grows_to_costs_less_than_a_query_may(operation: str) -> None:
    rows = reader._first_pages()[operation].most
    assert requested_cost(document(operation), {"first": rows}) < 1000


@pytest.mark.parametrize("operation", SENT)
def test_one_record_is_affordable_even_by_the_older_linear_model(operation: str) -> None:
    assert requested_cost(document(operation), {**first_page_sizes(1), "ids": ["id"]}, linear=True) < 1000


def test_the_model_gives_the_observed_costs() -> None:
    """The rows of the table in docs/contracts/shopify.md §3.2 that state their query."""
    assert requested_cost("{ products(first: 1) { nodes { id } } }", {}) == 3
    variants = "{ product(id: 1) { variants(first: 250) { nodes { inventoryItem { id } } } } }"
    assert requested_cost(variants, {}) == 25
    bags = " ".join(f"m{n}: totalPriceSet {{ shopMoney {{ amount }} }}" for n in range(6))
    order = f"{bags} lineItems(first: 10) {{ nodes {{ image {{ url }} }} }}"
    assert requested_cost(f"{{ orders(first: 10) {{ edges {{ node {{ {order} }} }} }} }}", {}) == 46
