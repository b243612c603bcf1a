"""The arithmetic and validation of document lines: unit prices, discounts, tax, accounts (B17, B19, B20, B23).

The functions are pure except for look-ups in the books. Statuses and dates are in `documents.py`.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext
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
    """A parser of one document's lines, which collects their errors.

    Attributes:
        context: the books, clock and options.
        amounts: LineAmountTypes of the document.
        decimals: decimals of a unit price.
        strict: the document becomes SUBMITTED or AUTHORISED; drafts are hardly checked, to an unverified degree.
        discounts: whether discounts are allowed; not on credit notes.
        keeps_tax: an existing line without newly sent figures keeps its tax.
        errors: the errors so far.
    """

    context: ApiContext
    amounts: str
    decimals: int
    strict: bool
    discounts: bool
    keeps_tax: bool
    errors: list[str]

    def read(self, sent: Json, old: Line | None) -> Line:
        """Return a line as Xero would store it; a line with a known LineItemID keeps the fields that are not sent."""
        sent = {name: value for name, value in sent.items() if value is not None}
        if old:
            sent = _as_sent(old, with_tax=self.keeps_tax and not sent.keys() & _FIGURES) | sent
        line = Line(id=old.id if old else self.context.books.new_id(), description=str(sent.get("Description", "")))
        if self.strict and not line.description and not sent.get("ItemCode"):
            self.errors.append("The description field is mandatory for each line item.")
        if len(line.description) > 4000:
            self.errors.append("Description must not be longer than 4000 characters.")
        if sent.keys() & {"UnitAmount", "LineAmount", "AccountCode", "AccountID", "ItemCode", "Quantity"}:
            self._price(line, sent)
            self._account(line, sent)
            self._tax(line, sent)
        line.tracking = list(sent.get("Tracking") or [])
        return line

    def _price(self, line: Line, sent: Json) -> None:
        quantity = self._number(sent, "Quantity")
        line.quantity = Decimal(1) if quantity is None else self.context.round_amount(quantity, 4)
        line.item_code = text_of(sent, "ItemCode") or ""
        unit = self._number(sent, "UnitAmount")
        total = self._number(sent, "LineAmount")
        if unit is None and total is not None and line.quantity:
            unit = total / line.quantity
        elif unit is None:
            unit = self._item_price(line)
        line.unit_amount = self.context.round_amount(unit, self.decimals)
        self._discount(line, sent)
        expected = self._line_amount(line)
        line.line_amount = expected if total is None else self.context.round_amount(total)
        if total is not None and line.line_amount != expected:
            self.errors.append(f"The line total {total} does not match the expected line total {expected}")

    def _discount(self, line: Line, sent: Json) -> None:
        rate, amount = self._number(sent, "DiscountRate"), self._number(sent, "DiscountAmount")
        if not self.discounts and (rate or amount):
            self.errors.append("Discounts are not supported on credit notes.")
        line.discount_rate = rate or None
        line.discount_amount = self.context.round_amount(amount) if amount and not rate else None

    def _line_amount(self, line: Line) -> Decimal:
        gross = (line.quantity or ZERO) * line.unit_amount
        if line.discount_rate:
            return self.context.round_amount(gross * (_HUNDRED - line.discount_rate) / _HUNDRED)
        return self.context.round_amount(gross - (line.discount_amount or ZERO))

    def _item_price(self, line: Line) -> Decimal:
        item = self.context.books.item_coded(line.item_code) if line.item_code else None
        return (item.sales_price if item else None) or ZERO

    def _account(self, line: Line, sent: Json) -> None:
        item = self.context.books.item_coded(line.item_code) if line.item_code else None
        if line.item_code and (item is None or not item.is_sold):
            self.errors.append(f"Item code '{line.item_code}' is not valid")
        code = text_of(sent, "AccountCode") or (item.sales_texts.get("AccountCode") if item else None)
        account = self.context.books.account(code, text_of(sent, "AccountID"))
        line.account_code = str(account["Code"]) if account else code or ""
        if item and not line.description:
            line.description = item.description
        if self.strict:
            self._check_account(line.account_code, account)

    def _check_account(self, code: str, account: dict[str, Any] | None) -> None:
        if account is None:
            unknown = f"Account code '{code}' is not a valid code for this document."
            self.errors.append(unknown if code else "Account code must be specified")
        elif account.get("Status") != "ACTIVE":
            gone = f"Account code '{code}' has been archived, or has been deleted."
            self.errors.append(f"{gone} Each line item must reference a valid account.")
        elif account["Type"] in _NO_LINES_TYPES or account.get("SystemAccount") in _NO_LINES_SYSTEM:
            self.errors.append(f"Account code '{code}' is not a valid code for this document.")

    def _tax(self, line: Line, sent: Json) -> None:
        account = self.context.books.account(line.account_code)
        default = "NONE" if self.amounts == "NoTax" or account is None else str(account.get("TaxType", "NONE"))
        line.tax_type = text_of(sent, "TaxType") or default
        rate = self.context.books.tax_rate(line.tax_type)
        if self.strict:
            self._check_tax(line, rate, account)
        line.tax_amount = self._tax_amount(line, Decimal(str(rate["EffectiveRate"])) if rate else ZERO)
        override = self._number(sent, "TaxAmount")
        if override is not None and self.amounts != "NoTax":
            line.tax_amount = self.context.round_amount(override)
            # Xero's page states the unit amount as the bound, its message the line amount; the sandbox applies both
            # (docs/contracts/xero.md §6.3).
            if abs(line.tax_amount) > min(abs(line.line_amount), abs(line.unit_amount)):
                self.errors.append("The tax amount cannot be greater than the line amount!")

    def _check_tax(self, line: Line, rate: dict[str, Any] | None, account: dict[str, Any] | None) -> None:
        if rate is None:
            self.errors.append(
                f"The TaxType code {line.tax_type} does not exist or cannot be used for this type of transaction."
            )
        elif account and not rate.get(_APPLIES.get(account.get("Class", ""), ""), True):
            self.errors.append(
                f"The TaxType code '{line.tax_type}' cannot be used with account code '{line.account_code}'."
            )

    def _tax_amount(self, line: Line, rate: Decimal) -> Decimal:
        if self.amounts == "NoTax":
            return ZERO
        whole = _HUNDRED + rate if self.amounts == "Inclusive" else _HUNDRED
        return self.context.round_amount(line.line_amount * rate / whole)

    def _number(self, sent: Json, name: str) -> Decimal | None:
        number = read_number(sent.get(name))
        if number is None and sent.get(name) not in (None, ""):
            self.errors.append(f"{name} must be a number.")
        return number


def totals(document: Document) -> None:
    """Set SubTotal, TotalTax and Total from the lines; sent totals are ignored."""
    amount = sum((line.line_amount for line in document.lines), ZERO)
    document.total_tax = sum((line.tax_amount for line in document.lines), ZERO)
    document.sub_total = amount - document.total_tax if document.line_amount_types == "Inclusive" else amount
    document.total = document.sub_total + document.total_tax


def _as_sent(line: Line, *, with_tax: bool) -> Json:
    """Return an existing line in the form of a request, without the fields that Xero computes again."""
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
    return {name: value for name, value in fields.items() if value is not None}
