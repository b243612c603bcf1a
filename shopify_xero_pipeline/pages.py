"""Where people look at a record: the shop's admin and Xero. Only addresses belong here."""

from shopify_xero_pipeline.xero.models import Kind

XERO_PAGES = {
    Kind.CONTACT: "https://go.xero.com/Contacts/View/{id}",
    Kind.ITEM: "https://go.xero.com/Accounts/Inventory/{id}",
    Kind.INVOICE: "https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID={id}",
    Kind.CREDIT_NOTE: "https://go.xero.com/AccountsReceivable/ViewCreditNote.aspx?creditNoteID={id}",
    Kind.PAYMENT: "https://go.xero.com/Bank/ViewTransaction.aspx?bankTransactionID={id}",
}


class Pages:
    """Addresses of one shop's orders and of records in Xero.

    Args:
        shop_domain: `goods.myshopify.com`.
    """

    def __init__(self, shop_domain: str) -> None:
        self._handle = shop_domain.removesuffix(".myshopify.com")

    def order(self, order_id: str) -> str:
        """Return the address of an order."""
        return f"https://admin.shopify.com/store/{self._handle}/orders/{order_id}"

    def xero(self, kind: Kind, xero_id: str | None) -> str:
        """Return the address of a record in Xero; empty if it has no page of its own or is not there yet."""
        page = XERO_PAGES.get(kind)
        return page.format(id=xero_id) if page and xero_id else ""
