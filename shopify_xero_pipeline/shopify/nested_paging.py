"""Pages of the connections within an order or a product, read to their end.

Source: docs/contracts/shopify.md trap 17.

This module only reads within one record. If a record changes while its pages are read, the pages come from two states.
Therefore each further page contains the record's `updatedAt`, and the record is read again if it differs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shopify_xero_pipeline.shopify.errors import IncompleteReadError
from shopify_xero_pipeline.shopify.paging import MAX_PAGE_SIZE, Json, Pager


class RecordChangedError(Exception):
    """A record changed or was deleted while its pages were read. The reader handles the error."""


def complete_order(pager: Pager, order: Json, *, fees: bool) -> None:
    """Add the missing pages to an order in place.

    Args:
        pager: reads the pages.
        order: an order node from the document `Orders`.
        fees: whether the app may read the names of return fees (scope `read_returns`).

    Raises:
        RecordChangedError: the order changed in the meantime; read it again.
        IncompleteReadError: a list without a cursor is full, so it may be longer.
    """
    _refuse_full_lists(order)
    reader = _RecordReader(pager, order["updatedAt"])
    reader.extend("MoreLineItems", {"id": order["id"]}, order["lineItems"], _find_connection("order", "lineItems"))
    if order["paymentTerms"]:
        schedules = order["paymentTerms"]["paymentSchedules"]
        reader.extend("MorePaymentSchedules", {"id": order["id"]}, schedules, _find_schedules)
    _complete_agreements(reader, order, fees)
    for refund in order["refunds"]:
        transactions, find = refund["transactions"], _find_connection("refund", "transactions")
        reader.extend("MoreRefundTransactions", {"id": refund["id"]}, transactions, find)


def add_refund_transactions(order: Json, refunds: Mapping[str, Json]) -> None:
    """Add the first page of transactions to each refund of an order from a bulk operation, in place.

    Args:
        order: an order node; refunds that have their transactions stay unchanged.
        refunds: nodes of the document `RefundsById`, by id.

    Raises:
        RecordChangedError: a refund was deleted, or the order changed after the bulk operation; read it again.
    """
    for refund in order["refunds"]:
        if "transactions" not in refund:
            node = refunds.get(refund["id"])
            if node is None or node["order"]["updatedAt"] != order["updatedAt"]:
                raise RecordChangedError
            refund["transactions"] = node["transactions"]


def complete_product(pager: Pager, product: Json) -> None:
    """Add the missing variants to a product in place.

    Raises:
        RecordChangedError: the product changed in the meantime; read it again.
    """
    reader = _RecordReader(pager, product["updatedAt"])
    reader.extend("MoreVariants", {"id": product["id"]}, product["variants"], _find_connection("product", "variants"))


def _complete_agreements(reader: "_RecordReader", order: Json, fees: bool) -> None:
    variables = {"id": order["id"], "fees": fees}
    reader.extend("MoreAgreements", variables, order["agreements"], _find_connection("order", "agreements"))
    predecessor: str | None = None
    for edge in order["agreements"]["edges"]:
        agreement = edge["node"]
        reader.extend(
            "MoreSales", {**variables, "predecessor": predecessor}, agreement["sales"], _find_sales(agreement["id"])
        )
        predecessor = edge["cursor"]  # an agreement can only be addressed by the cursor of the one before it


def _refuse_full_lists(order: Mapping[str, Any]) -> None:
    """Refuse an order with a full list without a cursor, because Shopify may have truncated the list."""
    for name in ("transactions", "refunds"):
        if len(order[name]) >= MAX_PAGE_SIZE:
            raise IncompleteReadError(
                f"Order {order['name']} ({order['id']}) has {MAX_PAGE_SIZE} or more {name}, and Shopify returns no "
                "more of them. Enter this order by hand."
            )


class _RecordReader:
    """Reader of further pages within one record, which fails once the record changes."""

    def __init__(self, pager: Pager, updated_at: str) -> None:
        self._pager = pager
        self._updated_at = updated_at

    def extend(
        self, operation: str, variables: Mapping[str, Any], connection: Json, find: Callable[[Json], Json]
    ) -> None:
        """Append the missing pages of a connection to it."""
        page = connection["pageInfo"]
        if not page["hasNextPage"]:
            return

        def find_checked(data: Json) -> Json:
            (record,) = data.values()
            owner = record and record.get("order", record)  # a refund names its order
            if not owner or owner["updatedAt"] != self._updated_at:
                raise RecordChangedError
            return find(data)

        rows = "edges" if "edges" in connection else "nodes"
        for _, more in self._pager.pages(operation, variables, find_checked, page["endCursor"]):
            connection[rows].extend(more[rows])
        connection["pageInfo"] = {"hasNextPage": False, "endCursor": None}


def _find_connection(root: str, name: str) -> Callable[[Json], Json]:
    def find(data: Json) -> Json:
        connection: Json = data[root][name]
        return connection

    return find


def _find_schedules(data: Json) -> Json:
    terms = data["order"]["paymentTerms"]
    if not terms:
        raise RecordChangedError
    schedules: Json = terms["paymentSchedules"]
    return schedules


def _find_sales(agreement_id: str) -> Callable[[Json], Json]:
    def find(data: Json) -> Json:
        for agreement in data["order"]["agreements"]["nodes"]:
            if agreement["id"] == agreement_id:
                sales: Json = agreement["sales"]
                return sales
        raise RecordChangedError

    return find
