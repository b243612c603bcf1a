"""What must hold before anything of an order is planned; an order that breaks it is blocked with the arithmetic shown.

Only the checks of docs/books.md §1 and §5 belong here. They compare the documents as built with Shopify's own totals,
which are other figures than the rows they were built from.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import cash_rounding, net_payment
from shopify_xero_pipeline.books.currency import ZERO, shop_amount
from shopify_xero_pipeline.books.documents import AnyDocument, BookedAgreement, net_amount
from shopify_xero_pipeline.books.errors import OrderBlockedError
from shopify_xero_pipeline.books.lines import amount_types, lines_total, tax_total
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.tax import sale_taxes
from shopify_xero_pipeline.shopify.models import Agreement, Transaction
from shopify_xero_pipeline.xero.models import Kind, Payment

TIMELINE_HINT = "look at the order in Shopify and enter it in Xero by hand"


def earlier_sales(case: OrderContext, kept: Sequence[Agreement]) -> Decimal:
    """Return what the agreements outside these books (before the start date) add up to."""
    return sum((net_amount(case, entry) for entry in case.agreements if entry not in kept), ZERO)


def check_sales(case: OrderContext, booked: Sequence[BookedAgreement]) -> None:
    """Check the order's documents against Shopify's totals.

    Raises:
        Blocked: a sum differs.
    """
    for entry in booked:
        _check_tax(case, entry)
        if case.main is not None and entry.entry.id == case.main.id:
            _check_beginning(case, entry)
    earlier = earlier_sales(case, [entry.entry for entry in booked])
    stated = shop_amount(case.order.current_total_price_set, case.currency)
    totals = [entry.sign * lines_total(entry.lines, amount_types(case)) for entry in booked]
    if sum(totals, earlier) != stated:
        parts = " + ".join(str(total) for total in ([earlier] if earlier else []) + totals) or "nothing"
        raise OrderBlockedError(
            f"the documents add up to {parts} = {sum(totals, earlier)}, but Shopify's current total is {stated}; {TIMELINE_HINT}"
        )


def money_of_others(case: OrderContext, kept: Sequence[Transaction], payments: Iterable[Payment]) -> Decimal:
    """Return the money of the order that others enter in Xero, less what was posted of it before it was left to them.

    Args:
        case: the order.
        kept: the transactions these books keep.
        payments: the payments planned, without those from the channel's tax account.
    """
    of_others = [entry for entry in kept if case.policy.is_left_to_others(entry.gateway or "")]
    ids = {entry.legacy_id for entry in of_others}
    posted = _paid(payment for payment in payments if payment.shopify_id.split("/", 1)[0] in ids)
    return net_payment(case, of_others) + cash_rounding(case, of_others) - posted


def check_money(
    case: OrderContext, kept: Sequence[Transaction], payments: Iterable[Payment], left_to_others: Decimal = ZERO
) -> None:
    """Check the payments against the money that moved and Shopify's net payment.

    Args:
        case: the order.
        kept: the transactions these books keep.
        payments: the payments planned, without those from the channel's tax account.
        left_to_others: money of which no payment is planned.

    Raises:
        Blocked: a sum differs.
    """
    stated = shop_amount(case.order.net_payment_set, case.currency)
    moved = net_payment(case, case.order.transactions)
    if stated not in (moved, moved + cash_rounding(case, case.order.transactions)):
        raise OrderBlockedError(
            f"the transactions add up to {moved}, but Shopify's net payment is {stated}; {TIMELINE_HINT}"
        )
    expected = net_payment(case, kept) + cash_rounding(case, kept) - left_to_others
    paid = _paid(payments)
    if paid != expected:
        raise OrderBlockedError(
            f"the payments add up to {paid}, but {expected} moved in {len(kept)} transactions; {TIMELINE_HINT}"
        )


def _paid(payments: Iterable[Payment]) -> Decimal:
    """Return what payments add up to, refunds of credit notes negative."""
    signs = {Kind.INVOICE: 1, Kind.CREDIT_NOTE: -1}
    return sum((signs[payment.document_kind] * payment.amount for payment in payments), ZERO)


def check_posted(case: OrderContext, documents: Iterable[AnyDocument]) -> None:
    """Check that what is posted is what Shopify's history still gives.

    Raises:
        Blocked: a posted document is gone, of another kind, or of another total.
    """
    wanted = {document.shopify_id: document for document in documents}
    for posted in case.ledger.documents:
        document = wanted.get(posted.shopify_id)
        if document is None:
            raise OrderBlockedError(
                f"{posted.number} is posted, but Shopify's history no longer gives that document; compare it with Xero"
            )
        if (document.kind, document.total) != (posted.kind, posted.total):
            raise OrderBlockedError(
                f"{posted.number} is posted as {_in_words(posted.kind, posted.total)}, but Shopify's history now gives"
                f" {_in_words(document.kind, document.total)}; a posted document is never rewritten: compare it"
                " with Xero"
            )


def _in_words(kind: Kind, total: Decimal) -> str:
    return f"{kind.value.replace('_', ' ')} of {total}"


def _check_beginning(case: OrderContext, entry: BookedAgreement) -> None:
    stated = shop_amount(case.order.original_total_price_set, case.currency)
    total = lines_total(entry.lines, amount_types(case))
    if total != stated:
        raise OrderBlockedError(
            f"the first document is of {total}, but Shopify's original total is {stated}; {TIMELINE_HINT}"
        )


def _check_tax(case: OrderContext, entry: BookedAgreement) -> None:
    """In mode `rates`, lines carry exactly the tax their rows state, less what the sales channel remits."""
    if amount_types(case) == "NoTax":
        return
    taxes = [tax for sale in entry.entry.sales for tax in sale_taxes(case, sale, entry.sign)]
    stated = sum((tax.amount for tax in taxes if not tax.channel_liable), ZERO)
    total = tax_total(entry.lines)
    if total != stated:
        raise OrderBlockedError(
            f"agreement {entry.entry.legacy_id}: the lines carry {total} of tax, but its rows state {stated}; {TIMELINE_HINT}"
        )
