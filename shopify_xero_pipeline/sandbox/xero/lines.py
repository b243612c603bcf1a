"""The arithmetic and the checks of document lines: unit prices, discounts, tax, accounts (B17, B19, B20, B23).

Pure but for the look-ups in the books. Sums over a document are `totals`; statuses and dates are for `documents.py`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.sandbox.xero.api_context import Desk
from shopify_xero_pipeline.sandbox.xero.records import ZERO, Document, Line
from shopify_xero_pipeline.sandbox.xero.wire import Json, read_number, text_of

_HUNDRED = Decimal(100)
_APPLIES = {
    "ASSET": "CanApplyToAssets",
    "EQUITY": "CanApplyToEquity",
    "EXPENSE": "CanApplyToExpenses",
    "LIABILITY": "CanApplyToLiabilities",
    "REVENUE": "CanApplyToRevenue",
}
_FIGURES = {"Quantity", "UnitAmount", "LineAmount", "TaxType", "DiscountRate", "DiscountAmount", "ItemCode"}
_NO_LINES_TYPES = ("BANK",)
_NO_LINES_SYSTEM = ("DEBTORS", "CREDITORS")


@dataclass
class LineBook:
    """Reads the lines of one document and collects what is wrong with them.

    Attributes:
        desk: what the rules work with.
        amounts: LineAmountTypes of the document.
        decimals: of a unit price.
        strict: the document is to be SUBMITTED or AUTHORISED; drafts are hardly checked, how little is unverified.
        discounts: whether discounts may be given: not on credit notes.
        keeps_tax: a kept line whose figures are not sent again keeps its tax.
        complaints: what is wrong so far.
    """

    desk: Desk
    amounts: str
    decimals: int
    strict: bool
    discounts: bool
    keeps_tax: bool
    complaints: list[str]

    def read(self, sent: Json, old: Line | None) -> Line:
        """Return a line as Xero would keep it; one with a known LineItemID keeps what is not sent again."""
        sent = {name: worth for name, worth in sent.items() if worth is not None}
        if old:
            sent = _as_sent(old, with_tax=self.keeps_tax and not sent.keys() & _FIGURES) | sent
        line = Line(id=old.id if old else self.desk.books.new_id(), description=str(sent.get("Description", "")))
        if self.strict and not line.description and not sent.get("ItemCode"):
            self.complaints.append("The description field is mandatory for each line item.")
        if len(line.description) > 4000:
            self.complaints.append("Description must not be longer than 4000 characters.")
        if sent.keys() & {"UnitAmount", "LineAmount", "AccountCode", "AccountID", "ItemCode", "Quantity"}:
            self._price(line, sent)
            self._account(line, sent)
            self._tax(line, sent)
        line.tracking = list(sent.get("Tracking") or [])
        return line

    def _price(self, line: Line, sent: Json) -> None:
        quantity = self._number(sent, "Quantity")
        line.quantity = Decimal(1) if quantity is None else self.desk.rounded(quantity, 4)
        line.item_code = text_of(sent, "ItemCode") or ""
        unit = self._number(sent, "UnitAmount")
        given = self._number(sent, "LineAmount")
        if unit is None and given is not None and line.quantity:
            unit = given / line.quantity
        elif unit is None:
            unit = self._item_price(line)
        line.unit_amount = self.desk.rounded(unit, self.decimals)
        self._discount(line, sent)
        expected = self._line_amount(line)
        line.line_amount = expected if given is None else self.desk.rounded(given)
        if given is not None and line.line_amount != expected:
            self.complaints.append(f"The line total {given} does not match the expected line total {expected}")

    def _discount(self, line: Line, sent: Json) -> None:
        rate, amount = self._number(sent, "DiscountRate"), self._number(sent, "DiscountAmount")
        if not self.discounts and (rate or amount):
            self.complaints.append("Discounts are not supported on credit notes.")
        line.discount_rate = rate or None
        line.discount_amount = self.desk.rounded(amount) if amount and not rate else None

    def _line_amount(self, line: Line) -> Decimal:
        gross = (line.quantity or ZERO) * line.unit_amount
        if line.discount_rate:
            return self.desk.rounded(gross * (_HUNDRED - line.discount_rate) / _HUNDRED)
        return self.desk.rounded(gross - (line.discount_amount or ZERO))

    def _item_price(self, line: Line) -> Decimal:
        item = self.desk.books.item_coded(line.item_code) if line.item_code else None
        return (item.sales_price if item else None) or ZERO

    def _account(self, line: Line, sent: Json) -> None:
        item = self.desk.books.item_coded(line.item_code) if line.item_code else None
        if line.item_code and (item is None or not item.is_sold):
            self.complaints.append(f"Item code '{line.item_code}' is not valid")
        code = text_of(sent, "AccountCode") or (item.sales_texts.get("AccountCode") if item else None)
        account = self.desk.books.account(code, text_of(sent, "AccountID"))
        line.account_code = str(account["Code"]) if account else code or ""
        if item and not line.description:
            line.description = item.description
        if self.strict:
            self._check_account(line.account_code, account)

    def _check_account(self, code: str, account: dict[str, Any] | None) -> None:
        if account is None:
            unknown = f"Account code '{code}' is not a valid code for this document."
            self.complaints.append(unknown if code else "Account code must be specified")
        elif account.get("Status") != "ACTIVE":
            gone = f"Account code '{code}' has been archived, or has been deleted."
            self.complaints.append(f"{gone} Each line item must reference a valid account.")
        elif account["Type"] in _NO_LINES_TYPES or account.get("SystemAccount") in _NO_LINES_SYSTEM:
            self.complaints.append(f"Account code '{code}' is not a valid code for this document.")

    def _tax(self, line: Line, sent: Json) -> None:
        account = self.desk.books.account(line.account_code)
        default = "NONE" if self.amounts == "NoTax" or account is None else str(account.get("TaxType", "NONE"))
        line.tax_type = text_of(sent, "TaxType") or default
        rate = self.desk.books.tax_rate(line.tax_type)
        if self.strict:
            self._check_tax(line, rate, account)
        line.tax_amount = self._tax_amount(line, Decimal(str(rate["EffectiveRate"])) if rate else ZERO)
        override = self._number(sent, "TaxAmount")
        if override is not None and self.amounts != "NoTax":
            line.tax_amount = self.desk.rounded(override)
            # Xero's page names the unit amount as the bound, its message the line's: both hold
            # here (docs/contracts/xero.md §6.3).
            if abs(line.tax_amount) > min(abs(line.line_amount), abs(line.unit_amount)):
                self.complaints.append("The tax amount cannot be greater than the line amount!")

    def _check_tax(self, line: Line, rate: dict[str, Any] | None, account: dict[str, Any] | None) -> None:
        if rate is None:
            self.complaints.append(
                f"The TaxType code {line.tax_type} does not exist or cannot be used for this type of transaction."
            )
        elif account and not rate.get(_APPLIES.get(account.get("Class", ""), ""), True):
            self.complaints.append(
                f"The TaxType code '{line.tax_type}' cannot be used with account code '{line.account_code}'."
            )

    def _tax_amount(self, line: Line, rate: Decimal) -> Decimal:
        if self.amounts == "NoTax":
            return ZERO
        whole = _HUNDRED + rate if self.amounts == "Inclusive" else _HUNDRED
        return self.desk.rounded(line.line_amount * rate / whole)

    def _number(self, sent: Json, name: str) -> Decimal | None:
        number = read_number(sent.get(name))
        if number is None and sent.get(name) not in (None, ""):
            self.complaints.append(f"{name} must be a number.")
        return number


def totals(document: Document) -> None:
    """Set SubTotal, TotalTax and Total from the lines; whatever a client sent as a total does not matter."""
    amount = sum((line.line_amount for line in document.lines), ZERO)
    document.total_tax = sum((line.tax_amount for line in document.lines), ZERO)
    document.sub_total = amount - document.total_tax if document.line_amount_types == "Inclusive" else amount
    document.total = document.sub_total + document.total_tax


def _as_sent(line: Line, *, with_tax: bool) -> Json:
    """Return a kept line as a client would send it, without what Xero works out again."""
    fields: Json = {
        "Description": line.description,
        "Quantity": line.quantity,
        "UnitAmount": line.unit_amount if line.quantity is not None else None,
        "ItemCode": line.item_code or None,
        "AccountCode": line.account_code or None,
        "TaxType": line.tax_type or None,
        "TaxAmount": line.tax_amount if with_tax and line.quantity is not None else None,
        "DiscountRate": line.discount_rate,
        "DiscountAmount": line.discount_amount,
        "Tracking": line.tracking,
    }
    return {name: worth for name, worth in fields.items() if worth is not None}
