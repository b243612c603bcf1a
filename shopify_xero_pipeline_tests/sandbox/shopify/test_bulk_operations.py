"""Bulk operations of the local Shopify: limits, states, files and faults (docs/contracts/shopify.md §3.7, E12)."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.options import ALL_SCOPES, ShopifyOptions
from shopify_xero_pipeline_tests.sandbox.shopify.shop import Sandbox, order, stocked

RUN = """mutation($q: String!, $g: Boolean! = false) { bulkOperationRunQuery(query: $q, groupObjects: $g) {
  bulkOperation { id status objectCount rootObjectCount url partialDataUrl completedAt fileSize query type }
  userErrors { code field message } } }"""
POLL = """query($id: ID!) { bulkOperation(id: $id) {
  id status errorCode objectCount rootObjectCount url partialDataUrl completedAt fileSize } }"""
CANCEL = "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { field message } } }"
ORDERS = "{ orders { edges { node { id name lineItems { edges { node { id title } } } } } } }"


def run(sandbox: Sandbox, query: str = ORDERS, **more: Any) -> Node:
    payload: Node = sandbox.found(RUN, q=query, **more)["bulkOperationRunQuery"]
    return payload


def poll(sandbox: Sandbox, gid: str) -> Node:
    node: Node = sandbox.found(POLL, id=gid)["bulkOperation"]
    return node


def ended(sandbox: Sandbox, query: str = ORDERS, **more: Any) -> Node:
    gid = run(sandbox, query, **more)["bulkOperation"]["id"]
    sandbox.clock.sleep(60)
    return poll(sandbox, gid)


def download(sandbox: Sandbox, url: str, **headers: str) -> httpx.Response:
    with httpx.Client(transport=sandbox.http._transport) as client:
        return client.get(url, headers=headers)


def rows(sandbox: Sandbox, query: str = ORDERS, **more: Any) -> list[Node]:
    text = download(sandbox, ended(sandbox, query, **more)["url"]).text
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_an_operation_is_created_runs_and_completes_as_time_passes() -> None:
    sandbox = Sandbox(stocked(order(1001), order(1002)))
    created = run(sandbox)["bulkOperation"]
    assert (created["status"], created["objectCount"], created["url"]) == ("CREATED", "0", None)
    assert (created["query"], created["type"]) == (ORDERS, "QUERY")
    sandbox.clock.sleep(2.5)
    assert poll(sandbox, created["id"])["status"] == "RUNNING"
    sandbox.clock.sleep(1)
    done = poll(sandbox, created["id"])
    assert (done["status"], done["objectCount"], done["rootObjectCount"]) == ("COMPLETED", "4", "2")
    assert done["completedAt"] == "2026-09-21T00:00:03Z"
    assert int(done["fileSize"]) == len(download(sandbox, done["url"]).content)
    assert done["partialDataUrl"] is None


def test_a_mutation_costs_ten_points_and_its_query_none() -> None:
    answer = Sandbox(stocked()).ask(RUN, q=ORDERS)
    cost = answer["extensions"]["cost"]
    assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (10, 10)


def test_children_are_rows_of_their_own_and_name_their_parent() -> None:
    grouped = rows(Sandbox(stocked(order(1001))), g=True)
    assert grouped == [
        {"id": "gid://shopify/Order/1001", "name": "#1001"},
        {"id": "gid://shopify/LineItem/10010", "title": "Honey", "__parentId": "gid://shopify/Order/1001"},
    ]


def test_rows_are_shuffled_by_seed_unless_they_are_grouped() -> None:
    shop = stocked(*(order(number) for number in range(1001, 1021)))
    plain = [rows(Sandbox(shop, ShopifyOptions(bulk_seed=seed))) for seed in (1, 1, 2)]
    assert plain[0] == plain[1] != plain[2]
    grouped = rows(Sandbox(shop), g=True)
    assert [row["id"] for row in grouped if "__parentId" not in row] == [
        f"gid://shopify/Order/{number}" for number in range(1001, 1021)
    ]
    assert sorted(map(json.dumps, grouped)) == sorted(map(json.dumps, plain[0]))
    parents = [at for at, row in enumerate(plain[0]) if "__parentId" not in row]
    assert parents != list(range(0, 40, 2)), "a child does not follow its parent"


def test_a_connection_of_an_object_within_a_node_has_the_node_as_parent() -> None:
    terms = {"id": "gid://shopify/PaymentTerms/5", "paymentSchedules": [{"id": "gid://shopify/PaymentSchedule/6"}]}
    query = "{ orders { edges { node { id paymentTerms { id paymentSchedules { edges { node { id } } } } } } } }"
    assert rows(Sandbox(stocked(order(1, paymentTerms=terms))), query, g=True) == [
        {"id": "gid://shopify/Order/1", "paymentTerms": {"id": "gid://shopify/PaymentTerms/5"}},
        {"id": "gid://shopify/PaymentSchedule/6", "__parentId": "gid://shopify/Order/1"},
    ]


def test_first_and_page_info_are_ignored_and_more_rows_than_a_page_are_returned() -> None:
    lines = [{"id": f"gid://shopify/LineItem/{number}", "title": "Mug"} for number in range(1, 301)]
    query = """{ orders(first: 1) { edges { cursor node { id lineItems(first: 2) { edges { cursor node { id } }
      pageInfo { hasNextPage } } } } } }"""
    result = rows(Sandbox(stocked(order(1, lineItems=lines), order(2))), query)
    assert len(result) == 2 + 300 + 1
    assert {key for row in result for key in row} == {"id", "__parentId"}


LIST = "Queries that contain a connection field within a list field are not currently supported."
NO_ID = (
    "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' "
    "return type. Connection fields without 'id': products."
)
NODES = (
    "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: 'products { edges { "
    "node {'. Selecting via 'nodes' is not supported. Invalid connection fields: 'products'."
)
EDGE = "edges { node { id } }"
VARIANTS = f"variants {{ {EDGE} }}"
for _ in range(2):
    VARIANTS = f"variants {{ edges {{ node {{ id product {{ {VARIANTS} }} }} }} }}"
DEEP = f"{{ products {{ edges {{ node {{ id {VARIANTS} }} }} }} }}"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "Invalid bulk query: syntax error, unexpected end of file"),
        ("mutation { bulkOperationCancel(id: 1) { userErrors { message } } }", "Invalid operation type. Only `query`"),
        ("{ shop { id } }", "Bulk queries must contain at least one connection."),
        ('{ node(id: "gid://shopify/Order/1") { id } }', "Bulk queries cannot contain a top level `node` field."),
        ('{ nodes(ids: ["x"]) { id } }', "Bulk queries cannot contain a top level `nodes` field."),
        ("{ products { nodes { id } } }", NODES),
        (f"{{ products {{ edges {{ node {{ title variants {{ {EDGE} }} }} }} }} }}", NO_ID),
        (f"{{ products {{ edges {{ node {{ id: title variants {{ {EDGE} }} }} }} }} }}", NO_ID),
        (f"{{ orders {{ edges {{ node {{ id refunds {{ id transactions {{ {EDGE} }} }} }} }} }} }}", LIST),
        (
            f"{{ orders {{ edges {{ node {{ id a: lineItems {{ {EDGE} }} b: lineItems {{ {EDGE} }} c: lineItems {{ "
            f"{EDGE} }} d: lineItems {{ {EDGE} }} e: lineItems {{ {EDGE} }} }} }} }} }}",
            "Bulk queries cannot contain more than 5 connections.",
        ),
        (DEEP, "Bulk queries cannot contain connections with a nesting depth greater than 2."),
        (
            f"{{ orders {{ edges {{ node {{ id shippingLines {{ {EDGE} }} }} }} }} }}",
            "Connection fields must implement the Node interface: shippingLines.",
        ),
        (f"{{ orders {{ {EDGE} }} products {{ {EDGE} }} }}", "Bulk queries must select a single top level field."),
        (
            "{ orders { edges { node { colour } } } }",
            "Invalid bulk query: Cannot query field 'colour' on type 'Order'.",
        ),
        ("query($f: String) { orders(query: $f) { edges { node { id } } } }", "Invalid bulk query: variables"),
    ],
)
def test_a_query_beyond_the_limits_is_refused(query: str, message: str) -> None:
    payload = run(Sandbox(stocked()), query)
    assert payload["bulkOperation"] is None
    first = payload["userErrors"][0]
    assert first["message"].startswith(message)
    assert (first["code"], first["field"]) == ("INVALID", ["query"])


def test_five_connections_in_two_levels_are_accepted() -> None:
    query = f"""{{ orders {{ edges {{ node {{ id a: lineItems {{ {EDGE} }} b: lineItems {{ {EDGE} }}
      agreements {{ edges {{ node {{ id sales {{ {EDGE} }} }} }} }} }} }} }} }}"""
    assert run(Sandbox(stocked()), query)["userErrors"] == []


@pytest.mark.parametrize(("version", "limit"), [("2026-10", 5), ("2025-10", 1)])
def test_so_many_operations_run_at_once_and_one_more_is_refused(version: str, limit: int) -> None:
    sandbox = Sandbox(stocked(), ShopifyOptions(versions=("2025-10", "2026-10")))
    path = f"/admin/api/{version}/graphql.json"

    def start() -> Node:
        answer = sandbox.http.post(path, json={"query": RUN, "variables": {"q": ORDERS}}).json()
        payload: Node = answer["data"]["bulkOperationRunQuery"]
        return payload

    ids = [start()["bulkOperation"]["id"] for _ in range(limit)]
    refused = start()
    assert refused["bulkOperation"] is None
    text = f"A bulk query operation for this app and shop is already in progress: {', '.join(ids)}."
    assert refused["userErrors"] == [{"code": "OPERATION_IN_PROGRESS", "field": None, "message": text}]
    sandbox.clock.sleep(60)
    assert start()["userErrors"] == []


def test_a_file_is_served_without_a_token_compressed_or_from_a_byte_on() -> None:
    sandbox = Sandbox(stocked(order(1), order(2)))
    url = ended(sandbox)["url"]
    whole = download(sandbox, url, **{"Accept-Encoding": "identity"})
    assert download(sandbox, url).headers["content-encoding"] == "gzip"
    assert download(sandbox, url).content == whole.content
    rest = download(sandbox, url, Range="bytes=10-")
    assert (rest.status_code, rest.content) == (206, whole.content[10:])
    assert download(sandbox, url, Range=f"bytes={len(whole.content)}-").status_code == 416
    assert download(sandbox, url, **{"X-Shopify-Access-Token": "sandbox"}).status_code == 403
    assert download(sandbox, url.replace("Signature=", "Signature=0")).status_code == 403


def test_the_address_of_a_file_expires_after_seven_days() -> None:
    sandbox = Sandbox(stocked())
    done = ended(sandbox)
    sandbox.clock.sleep(timedelta(days=7).total_seconds() - 120)
    assert download(sandbox, done["url"]).status_code == 200
    sandbox.clock.sleep(120)
    assert download(sandbox, done["url"]).status_code == 403
    late = poll(sandbox, done["id"])
    assert (late["status"], late["url"]) == ("EXPIRED", None)


def test_an_operation_without_rows_has_no_file() -> None:
    done = ended(Sandbox(stocked()), '{ orders(query: "name:nothing") { edges { node { id } } } }')
    assert (done["status"], done["objectCount"], done["url"], done["fileSize"]) == ("COMPLETED", "0", None, None)


def test_an_operation_is_cancelled_after_a_while_and_an_ended_one_is_not() -> None:
    sandbox = Sandbox(stocked())
    gid = run(sandbox)["bulkOperation"]["id"]
    cancelled = sandbox.found(CANCEL, id=gid)["bulkOperationCancel"]
    assert cancelled == {"bulkOperation": {"status": "CANCELING"}, "userErrors": []}
    sandbox.clock.sleep(5)
    assert poll(sandbox, gid)["status"] == "CANCELED"
    again = sandbox.found(CANCEL, id=gid)["bulkOperationCancel"]["userErrors"]
    assert again == [{"field": None, "message": "A bulk operation cannot be canceled when it is canceled"}]
    unknown = sandbox.found(CANCEL, id="gid://shopify/BulkOperation/1")["bulkOperationCancel"]
    missing = [{"field": ["id"], "message": "Bulk operation does not exist"}]
    assert unknown == {"bulkOperation": None, "userErrors": missing}


def test_operations_are_listed_from_the_newest_on_and_filtered() -> None:
    sandbox = Sandbox(stocked())
    first = ended(sandbox)["id"]
    second = run(sandbox)["bulkOperation"]["id"]
    listed = "query($q: String) { bulkOperations(first: 5, query: $q) { nodes { id } } currentBulkOperation { id } }"
    everything = sandbox.found(listed)
    assert [node["id"] for node in everything["bulkOperations"]["nodes"]] == [second, first]
    assert everything["currentBulkOperation"] == {"id": second}
    running = sandbox.found(listed, q="operation_type:query status:created")["bulkOperations"]["nodes"]
    assert [node["id"] for node in running] == [second]
    assert sandbox.found("query($id: ID!) { node(id: $id) { id } }", id=first)["node"] == {"id": first}
    assert poll(sandbox, "gid://shopify/BulkOperation/1") is None


def test_a_sort_by_the_searched_time_of_change_omits_orders() -> None:
    shop = stocked(*(order(number) for number in range(1, 15)))
    lossy = (
        """{ orders(sortKey: UPDATED_AT, query: "updated_at:>='2026-09-01T00:00:00Z'") { edges { node { id } } } }"""
    )
    assert len(rows(Sandbox(shop), lossy)) == 12
    assert len(rows(Sandbox(shop), lossy.replace("sortKey: UPDATED_AT, ", ""))) == 14


def test_a_missing_scope_fails_the_operation() -> None:
    sandbox = Sandbox(stocked(), ShopifyOptions(scopes=ALL_SCOPES - {"read_orders"}))
    failed = ended(sandbox)
    assert (failed["status"], failed["errorCode"], failed["url"]) == ("FAILED", "ACCESS_DENIED", None)


def test_orders_are_those_of_the_lagging_index_at_the_start_of_the_operation() -> None:
    sandbox = Sandbox(stocked(order(1)))
    gid = run(sandbox)["bulkOperation"]["id"]
    sandbox.shop.put("orders", order(2), sandbox.clock.now() + timedelta(seconds=1))
    sandbox.clock.sleep(60)
    assert poll(sandbox, gid)["rootObjectCount"] == "1"
