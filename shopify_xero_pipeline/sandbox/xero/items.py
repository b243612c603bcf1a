"""Items: untracked goods and services, known by their Code (B15, docs/contracts/xero.md §6.2)."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from shopify_xero_pipeline.sandbox.xero.answers import ZERO_GUID, Rejected
from shopify_xero_pipeline.sandbox.xero.api_context import Desk
from shopify_xero_pipeline.sandbox.xero.batch import Shape, Written
from shopify_xero_pipeline.sandbox.xero.records import Item
from shopify_xero_pipeline.sandbox.xero.wire import Json, flag_of, ms_date, present, read_number, text_of

_LENGTHS = {"Code": 30, "Name": 50, "Description": 4000, "PurchaseDescription": 4000}
_DETAILS = ("AccountCode", "TaxType", "COGSAccountCode")

SHAPE = Shape(
    collection="Items",
    noun="Item",
    id_field="ItemID",
    flag="",
    known=frozenset(
        {"ItemID", "IsSold", "IsPurchased", "SalesDetails", "PurchaseDetails", "UnitPrice", "InventoryAssetAccountCode"}
        | {*_LENGTHS, *_DETAILS}
    ),
    echo=dict,
    most=500,
)


class Items:
    """The rules of items over the organisation's books; `decimals` is how many a price may have in this call."""

    def __init__(self, desk: Desk, decimals: int) -> None:
        self._desk = desk
        self._books = desk.books
        self._decimals = decimals

    def create(self, sent: Json) -> Written:
        """PUT: a new item."""
        code = str(sent.get("Code") or "")
        if self._books.item_coded(code):
            raise Rejected(f"Price List Item with Code '{code}' already exists")
        return self._save(sent, None)

    def upsert(self, sent: Json) -> Written:
        """POST: the item meant by ItemID, else by Code; a new one if none is."""
        if sent.get("ItemID"):
            known = self._books.items.get(str(sent["ItemID"]).lower())
            if known is None:
                raise Rejected("Item could not be found", record_id=str(sent["ItemID"]))
        else:
            known = self._books.item_coded(str(sent.get("Code") or ""))
        other = self._books.item_coded(str(sent.get("Code") or ""))
        if known and other and other.id != known.id:
            raise Rejected(f"Price List Item with Code '{sent['Code']}' already exists", record_id=known.id)
        return self._save(sent, known)

    def show(self, item: Item) -> Json:
        """Return an item as Xero answers; its date has no offset."""
        return {
            **present({"ItemID": item.id, "Code": item.code, "Name": item.name, "Description": item.description}),
            **present({"PurchaseDescription": item.purchase_description}),
            "UpdatedDateUTC": ms_date(item.updated, offset=""),
            "PurchaseDetails": self._details(item.purchase_price, item.purchase_texts),
            "SalesDetails": self._details(item.sales_price, item.sales_texts),
            "IsTrackedAsInventory": item.is_tracked,
            "IsSold": item.is_sold,
            "IsPurchased": item.is_purchased,
        }

    def _save(self, sent: Json, known: Item | None) -> Written:
        complaints = self._complaints(sent, known)
        if complaints:
            raise Rejected(*complaints, record_id=known.id if known else ZERO_GUID)
        now = self._desk.now()
        item = replace(known, updated=now) if known else Item(id=self._books.new_id(), updated=now, code="")
        self._take(item, sent)
        self._books.keep_item(item)
        return Written(self.show(item))

    def _take(self, item: Item, sent: Json) -> None:
        """Put what was sent into an item; what was left out stays, and what is not sold has no sales details."""
        item.code = text_of(sent, "Code") or item.code
        for name, attribute in (("Name", "name"), ("Description", "description"), *_PURCHASE):
            if text_of(sent, name) is not None:
                setattr(item, attribute, text_of(sent, name))
        item.is_sold = flag_of(sent, "IsSold", item.is_sold)
        item.is_purchased = flag_of(sent, "IsPurchased", item.is_purchased)
        item.is_tracked = item.is_tracked or bool(sent.get("InventoryAssetAccountCode"))
        item.sales_price, item.sales_texts = self._merged(sent, "SalesDetails", item.sales_price, item.sales_texts)
        item.purchase_price, item.purchase_texts = self._merged(
            sent, "PurchaseDetails", item.purchase_price, item.purchase_texts
        )
        if not item.is_sold:
            item.sales_price, item.sales_texts = None, {}
        if not item.is_purchased:
            item.purchase_price, item.purchase_texts = None, {}

    def _merged(
        self, sent: Json, name: str, price: Decimal | None, texts: dict[str, str]
    ) -> tuple[Decimal | None, dict[str, str]]:
        details = sent.get(name) or {}
        given = read_number(details.get("UnitPrice"))
        merged = texts | {each: str(details[each]) for each in _DETAILS if details.get(each) is not None}
        return (price if given is None else self._desk.rounded(given, self._decimals)), merged

    def _details(self, price: Decimal | None, texts: dict[str, str]) -> Json:
        shown = None if price is None else self._desk.rounded(price, self._decimals)
        return present({"UnitPrice": shown, **texts})

    def _complaints(self, sent: Json, known: Item | None) -> list[str]:
        complaints = [
            f"{name} must not be longer than {most} characters."
            for name, most in _LENGTHS.items()
            if len(str(sent.get(name) or "")) > most
        ]
        if not known and not sent.get("Code"):
            complaints.append("Price List Item Code must be supplied")
        for details in (sent.get("SalesDetails") or {}, sent.get("PurchaseDetails") or {}):
            complaints += self._account_complaints(details)
        return complaints

    def _account_complaints(self, details: Json) -> list[str]:
        complaints = []
        code = text_of(details, "AccountCode")
        account = self._books.account(code) if code else None
        if code and (account is None or account.get("Status") != "ACTIVE" or account["Type"] == "BANK"):
            complaints.append(f"Account code '{code}' does not exist or cannot be applied to Items.")
        tax_type = text_of(details, "TaxType")
        if tax_type and self._books.tax_rate(tax_type) is None:
            complaints.append("Tax rate must be valid.")
        return complaints


_PURCHASE = (("PurchaseDescription", "purchase_description"),)

FIELDS: dict[str, Any] = {
    "ItemID": lambda item: item.id,
    "Code": lambda item: item.code,
    "Name": lambda item: item.name or None,
    "IsSold": lambda item: item.is_sold,
    "IsTrackedAsInventory": lambda item: item.is_tracked,
    "UpdatedDateUTC": lambda item: item.updated,
}
"""What `where` and `order` may name."""
