"""Where people look at a record: the shop's admin and Xero. Only addresses belong here."""

from shopify_xero_pipeline.xero.models import Kind

_XERO = {
    Kind.CONTACT: "https://go.xero.com/Contacts/View/{id}",
    Kind.ITEM: "https://go.xero.com/Accounts/Inventory/{id}",
    Kind.INVOICE: "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID={id}",
    Kind.CREDIT_NOTE: "https://go.xero.com/AccountsReceivable/ViewCreditNote.aspx?creditNoteID={id}",
    Kind.PAYMENT: "https://go.xero.com/Bank/ViewTransaction.aspx?bankTransactionID={id}",
}


def order_page(shop_domain: str, order_id: str) -> str:
    """Return the address of an order in the admin of a shop, given as `goods.myshopify.com`."""
    return f"https://admin.shopify.com/store/{shop_domain.removesuffix('.myshopify.com')}/orders/{order_id}"


def xero_page(kind: Kind, xero_id: str | None) -> str:
    """Return the address of a record in Xero; empty if it has no page of its own or is not there yet."""
    page = _XERO.get(kind)
    return page.format(id=xero_id) if page and xero_id else ""
