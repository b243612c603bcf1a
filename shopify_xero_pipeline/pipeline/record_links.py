"""Addresses of a record's pages in the Shopify admin and in Xero."""

from shopify_xero_pipeline.xero.models import Kind

XERO_PAGES = {
    Kind.CONTACT: "https://go.xero.com/Contacts/View/{id}",
    Kind.ITEM: "https://go.xero.com/Accounts/Inventory/{id}",
    Kind.INVOICE: "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID={id}",
    Kind.CREDIT_NOTE: "https://go.xero.com/AccountsReceivable/ViewCreditNote.aspx?creditNoteID={id}",
    Kind.PAYMENT: "https://go.xero.com/Bank/ViewTransaction.aspx?bankTransactionID={id}",
}


def order_page(shop_domain: str, order_id: str) -> str:
    """Return the address of an order in the Shopify admin.

    Args:
        shop_domain: the shop's domain, such as `goods.myshopify.com`.
        order_id: digits of the order's Shopify id.
    """
    return f"https://admin.shopify.com/store/{shop_domain.removesuffix('.myshopify.com')}/orders/{order_id}"


def xero_page(kind: Kind, xero_id: str | None) -> str:
    """Return the address of a record in Xero; empty if its kind has no page or it has no Xero id yet."""
    page = XERO_PAGES.get(kind)
    return page.format(id=xero_id) if page and xero_id else ""
