"""Control totals of an order; a difference blocks the order, and the reason contains both sums.

The checks (docs/books.md §1, §5) compare the built documents and payments with Shopify's order totals, which are
independent of the sales and transactions from which they were built.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from shopify_xero_pipeline.books.cash_movements import cash_rounding, net_payment
from shopify_xero_pipeline.books.currency import ZERO, shop_amount
from shopify_xero_pipeline.books.documents import AnyDocument, BookedAgreement, net_amount
from shopify_xero_pipeline.books.lines import amount_types, lines_total, tax_total
from shopify_xero_pipeline.books.order_context import OrderBlockedError, OrderContext
from shopify_xero_pipeline.shopify.models import Agreement, Transaction
from shopify_xero_pipeline.xero.models import Kind, Payment, kind_label

ORDER_HINT = "check the order in Shopify and enter it in Xero by hand"


def earlier_sales(context: OrderContext, in_scope: Sequence[Agreement]) -> Decimal:
    """Return the total of the agreements before the start date, in the shop's currency.

    Args:
        context: the order.
        in_scope: the agreements in these books.
    """
    earlier = (agreement for agreement in context.agreements if agreement not in in_scope)
    return sum((net_amount(context, agreement) for agreement in earlier), ZERO)


def check_sales(context: OrderContext, bookings: Sequence[BookedAgreement]) -> None:
    """Check the order's documents against Shopify's totals.

    Args:
        context: the order.
        bookings: its agreements in these books.

    Raises:
        OrderBlockedError: a sum differs.
    """
    for booking in bookings:
        _check_tax(context, booking)
        if context.is_main(booking.agreement):
            total = lines_total(booking.lines, amount_types(context))
            original = shop_amount(context.order.original_total_price_set, context.currency)
            if total != original:
                raise OrderBlockedError(
                    f"the first document has a total of {total}, but Shopify's original total is {original};"
                    f" {ORDER_HINT}"
                )
    earlier = earlier_sales(context, [booking.agreement for booking in bookings])
    stated = shop_amount(context.order.current_total_price_set, context.currency)
    totals = [booking.sign * lines_total(booking.lines, amount_types(context)) for booking in bookings]
    if sum(totals, earlier) != stated:
        parts = " + ".join(str(total) for total in ([earlier] if earlier else []) + totals) or "nothing"
        raise OrderBlockedError(
            f"the documents add up to {parts} = {sum(totals, earlier)}, but Shopify's current total is {stated};"
            f" {ORDER_HINT}"
        )


def money_of_others(context: OrderContext, transactions: Sequence[Transaction], payments: Iterable[Payment]) -> Decimal:
    """Return the money that others enter in Xero, less payments posted before the gateway was left to them.

    Args:
        context: the order.
        transactions: the transactions in these books.
        payments: the planned payments, without those from the channel's tax account.

    Returns:
        The net amount in the shop's currency, refunds negative.
    """
    of_others = [
        transaction for transaction in transactions if context.policy.is_left_to_others(transaction.gateway or "")
    ]
    ids = {transaction.legacy_id for transaction in of_others}
    posted = _paid(payment for payment in payments if payment.shopify_id.split("/", 1)[0] in ids)
    return net_payment(context, of_others) + cash_rounding(context, of_others) - posted


def check_money(
    context: OrderContext,
    transactions: Sequence[Transaction],
    payments: Iterable[Payment],
    left_to_others: Decimal = ZERO,
) -> None:
    """Check the payments against the transactions and Shopify's net payment.

    Args:
        context: the order.
        transactions: the transactions in these books.
        payments: the planned payments, without those from the channel's tax account.
        left_to_others: net money without planned payments, in the shop's currency.

    Raises:
        OrderBlockedError: a sum differs.
    """
    stated = shop_amount(context.order.net_payment_set, context.currency)
    net = net_payment(context, context.order.transactions)
    if stated not in (net, net + cash_rounding(context, context.order.transactions)):
        raise OrderBlockedError(
            f"the transactions add up to {net}, but Shopify's net payment is {stated}; {ORDER_HINT}"
        )
    expected = net_payment(context, transactions) + cash_rounding(context, transactions) - left_to_others
    paid = _paid(payments)
    if paid != expected:
        raise OrderBlockedError(
            f"the payments add up to {paid}, but {expected} moved in {len(transactions)} transactions; {ORDER_HINT}"
        )


def _paid(payments: Iterable[Payment]) -> Decimal:
    """Return the sum of payments, refunds of credit notes negative."""
    signs = {Kind.INVOICE: 1, Kind.CREDIT_NOTE: -1}
    return sum((signs[payment.document_kind] * payment.amount for payment in payments), ZERO)


def check_posted(context: OrderContext, documents: Iterable[AnyDocument]) -> None:
    """Check that Shopify's history still yields each posted document.

    Args:
        context: the order.
        documents: the order's documents by the present history.

    Raises:
        OrderBlockedError: a posted document is missing, or has another kind or total.
    """
    desired = {document.shopify_id: document for document in documents}
    for posted in context.posted_records.documents:
        document = desired.get(posted.shopify_id)
        if document is None:
            raise OrderBlockedError(
                f"{posted.number} is posted, but Shopify's history no longer contains that document; compare it with"
                " Xero"
            )
        if (document.kind, document.total) != (posted.kind, posted.total):
            raise OrderBlockedError(
                f"{posted.number} is posted as {_describe(posted.kind, posted.total)}, but by Shopify's history it is"
                f" now {_describe(document.kind, document.total)}; a posted document is never rewritten: compare it"
                " with Xero"
            )


def _describe(kind: Kind, total: Decimal) -> str:
    return f"{kind_label(kind)} of {total}"


def _check_tax(context: OrderContext, booking: BookedAgreement) -> None:
    """Check in mode `rates` that lines carry the tax of their sales, less the tax that the sales channel remits."""
    if amount_types(context) == "NoTax":
        return
    stated = sum((tax.amount for sale in booking.sales for tax in sale.row.own_taxes), ZERO)
    total = tax_total(booking.lines)
    if total != stated:
        raise OrderBlockedError(
            f"agreement {booking.agreement.legacy_id}: the lines carry {total} of tax, but its sales state"
            f" {stated}; {ORDER_HINT}"
        )
