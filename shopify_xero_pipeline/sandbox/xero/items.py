"""Items: untracked goods and services, identified by their Code (B15, docs/contracts/xero.md §6.2)."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from shopify_xero_pipeline.sandbox.xero.answers import ZERO_GUID, Rejected
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext
from shopify_xero_pipeline.sandbox.xero.batch import SavedRecord, Shape
from shopify_xero_pipeline.sandbox.xero.records import Item
from shopify_xero_pipeline.sandbox.xero.wire import Json, flag_of, ms_date, present, read_number, text_of

# Maximum lengths in characters.
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
    """The rules of items in the organisation's books; `decimals` is the number of decimals of a price in this call."""

    def __init__(self, context: ApiContext, decimals: int) -> None:
        self._context = context
        self._books = context.books
        self._decimals = decimals

    def create(self, sent: Json) -> SavedRecord:
        """Create an item (PUT).

        Raises:
            Rejected: the item is invalid, or its Code is in use.
        """
        code = str(sent.get("Code") or "")
        if self._books.item_coded(code):
            raise Rejected(f"Price List Item with Code '{code}' already exists")
        return self._save(sent, None)

    def upsert(self, sent: Json) -> SavedRecord:
        """Update the item that matches by ItemID or Code, or create one (POST).

        Raises:
            Rejected: the item is invalid, its Code is in use, or its ItemID is unknown.
        """
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
        """Return an item in the form of the response; its date has no offset."""
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

    def _save(self, sent: Json, known: Item | None) -> SavedRecord:
        errors = self._errors(sent, known)
        if errors:
            raise Rejected(*errors, record_id=known.id if known else ZERO_GUID)
        now = self._context.now()
        item = replace(known, updated=now) if known else Item(id=self._books.new_id(), updated=now, code="")
        self._set_fields(item, sent)
        self._books.keep_item(item)
        return SavedRecord(self.show(item))

    def _set_fields(self, item: Item, sent: Json) -> None:
        """Set the sent fields of an item; missing fields stay, and an item that is not sold has no sales details."""
        item.code = text_of(sent, "Code") or item.code
        for name, attribute in (("Name", "name"), ("Description", "description"), *_PURCHASE):
            if text_of(sent, name) is not None:
                setattr(item, attribute, text_of(sent, name))
        item.is_sold = flag_of(sent, "IsSold", item.is_sold)
        item.is_purchased = flag_of(sent, "IsPurchased", item.is_purchased)
        item.is_tracked = item.is_tracked or bool(sent.get("InventoryAssetAccountCode"))
        item.sales_price, item.sales_texts = self._merge_details(
            sent, "SalesDetails", item.sales_price, item.sales_texts
        )
        item.purchase_price, item.purchase_texts = self._merge_details(
            sent, "PurchaseDetails", item.purchase_price, item.purchase_texts
        )
        if not item.is_sold:
            item.sales_price, item.sales_texts = None, {}
        if not item.is_purchased:
            item.purchase_price, item.purchase_texts = None, {}

    def _merge_details(
        self, sent: Json, name: str, price: Decimal | None, texts: dict[str, str]
    ) -> tuple[Decimal | None, dict[str, str]]:
        details = sent.get(name) or {}
        new_price = read_number(details.get("UnitPrice"))
        merged = texts | {detail: str(details[detail]) for detail in _DETAILS if details.get(detail) is not None}
        return (price if new_price is None else self._context.round_amount(new_price, self._decimals)), merged

    def _details(self, price: Decimal | None, texts: dict[str, str]) -> Json:
        unit_price = None if price is None else self._context.round_amount(price, self._decimals)
        return present({"UnitPrice": unit_price, **texts})

    def _errors(self, sent: Json, known: Item | None) -> list[str]:
        errors = [
            f"{name} must not be longer than {most} characters."
            for name, most in _LENGTHS.items()
            if len(str(sent.get(name) or "")) > most
        ]
        if not known and not sent.get("Code"):
            errors.append("Price List Item Code must be supplied")
        for details in (sent.get("SalesDetails") or {}, sent.get("PurchaseDetails") or {}):
            errors += self._account_errors(details)
        return errors

    def _account_errors(self, details: Json) -> list[str]:
        errors = []
        code = text_of(details, "AccountCode")
        account = self._books.account(code) if code else None
        if code and (account is None or account.get("Status") != "ACTIVE" or account["Type"] == "BANK"):
            errors.append(f"Account code '{code}' does not exist or cannot be applied to Items.")
        tax_type = text_of(details, "TaxType")
        if tax_type and self._books.tax_rate(tax_type) is None:
            errors.append("Tax rate must be valid.")
        return errors


_PURCHASE = (("PurchaseDescription", "purchase_description"),)

FIELDS: dict[str, Any] = {
    "ItemID": lambda item: item.id,
    "Code": lambda item: item.code,
    "Name": lambda item: item.name or None,
    "IsSold": lambda item: item.is_sold,
    "IsTrackedAsInventory": lambda item: item.is_tracked,
    "UpdatedDateUTC": lambda item: item.updated,
}
"""The fields that `where` and `order` may name."""
