"""Records made whole: every connection inside an order or a product is paged to its end.

Source: docs/contracts/shopify.md trap 17.

Only what lies inside one record belongs here. A record that changes while its pages are read would be stitched together
from two states, so each further page also tells the record's `updatedAt`; a difference means: read it again.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shopify_xero_pipeline.shopify.errors import IncompleteReadError
from shopify_xero_pipeline.shopify.paging import MAX_PAGE_SIZE, Json, Pager, nodes_of

_OF_AN_ORDER = {"lineItems": "MoreLineItems", "shippingLines": "MoreShippingLines"}
_OF_A_REFUND = {
    "refundLineItems": "MoreRefundLineItems",
    "refundShippingLines": "MoreRefundShippingLines",
    "orderAdjustments": "MoreOrderAdjustments",
    "transactions": "MoreRefundTransactions",
}


class RecordChangedError(Exception):
    """A record changed, or went away, while its pages were read. Never leaves this room."""


def complete_order(pager: Pager, order: Json, *, fees: bool) -> None:
    """Read on, in place, whatever of an order did not fit on its first page.

    Args:
        pager: What reads.
        order: An order node as the document `Orders` gives it.
        fees: Whether the names of return fees may be asked for (scope `read_returns`).

    Raises:
        RecordChangedError: the order changed meanwhile; read it again.
        IncompleteRead: a list that has no cursor is exactly full, so it may be longer.
    """
    _refuse_full_lists(order)
    stretch = _Stretch(pager, order["updatedAt"])
    for name, operation in _OF_AN_ORDER.items():
        stretch.extend(operation, {"id": order["id"]}, order[name], _inside("order", name))
    if order["paymentTerms"]:
        schedules = order["paymentTerms"]["paymentSchedules"]
        stretch.extend("MorePaymentSchedules", {"id": order["id"]}, schedules, _schedules)
    _complete_agreements(stretch, order, fees)
    for refund in order["refunds"]:
        for name, operation in _OF_A_REFUND.items():
            stretch.extend(operation, {"id": refund["id"]}, refund[name], _inside("refund", name))
    _refuse_full_lists(order)


def complete_product(pager: Pager, product: Json) -> None:
    """Read on, in place, the variants of a product that did not fit on its first page.

    Raises:
        RecordChangedError: the product changed meanwhile; read it again.
    """
    stretch = _Stretch(pager, product["updatedAt"])
    stretch.extend("MoreVariants", {"id": product["id"]}, product["variants"], _inside("product", "variants"))


def _complete_agreements(stretch: "_Stretch", order: Json, fees: bool) -> None:
    variables = {"id": order["id"], "fees": fees}
    stretch.extend("MoreAgreements", variables, order["agreements"], _inside("order", "agreements"))
    predecessor: str | None = None
    for edge in order["agreements"]["edges"]:
        agreement = edge["node"]
        stretch.extend(
            "MoreSales", {**variables, "predecessor": predecessor}, agreement["sales"], _sales_of(agreement["id"])
        )
        predecessor = edge["cursor"]


def _refuse_full_lists(order: Mapping[str, Any]) -> None:
    """Refuse an order one of whose cursorless lists is full: nobody can tell what was cut off."""
    lists = {"transactions": order["transactions"], "refunds": order["refunds"]}
    lists |= {f"tax lines of {line['id']}": line["taxLines"] for line in nodes_of(order["lineItems"])}
    for name, rows in lists.items():
        if len(rows) >= MAX_PAGE_SIZE:
            raise IncompleteReadError(
                f"Order {order['name']} ({order['id']}) has {MAX_PAGE_SIZE} or more {name}, and Shopify gives no way to "
                "read on. Enter this order by hand."
            )


class _Stretch:
    """Reads on inside one record as long as the record stays as it was."""

    def __init__(self, pager: Pager, updated_at: str) -> None:
        self._pager = pager
        self._updated_at = updated_at

    def extend(
        self, operation: str, variables: Mapping[str, Any], connection: Json, find: Callable[[Json], Json]
    ) -> None:
        """Append the rest of a connection to it."""
        page = connection["pageInfo"]
        if not page["hasNextPage"]:
            return

        def unchanged(data: Json) -> Json:
            self._check(data)
            return find(data)

        rows = "edges" if "edges" in connection else "nodes"
        for _, more in self._pager.pages(operation, variables, unchanged, page["endCursor"]):
            connection[rows].extend(more[rows])
        connection["pageInfo"] = {"hasNextPage": False, "endCursor": None}

    def _check(self, data: Mapping[str, Any]) -> None:
        (record,) = data.values()
        owner = record and record.get("order", record)
        if not owner or owner["updatedAt"] != self._updated_at:
            raise RecordChangedError


def _inside(root: str, name: str) -> Callable[[Json], Json]:
    def find(data: Json) -> Json:
        connection: Json = data[root][name]
        return connection

    return find


def _schedules(data: Json) -> Json:
    terms = data["order"]["paymentTerms"]
    if not terms:
        raise RecordChangedError
    schedules: Json = terms["paymentSchedules"]
    return schedules


def _sales_of(agreement_id: str) -> Callable[[Json], Json]:
    def find(data: Json) -> Json:
        for agreement in data["order"]["agreements"]["nodes"]:
            if agreement["id"] == agreement_id:
                sales: Json = agreement["sales"]
                return sales
        raise RecordChangedError

    return find
