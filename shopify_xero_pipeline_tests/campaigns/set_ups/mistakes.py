"""Mistakes in `books.yaml` and in the organisation, each a function that makes one."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.human_edits import Person
from shopify_xero_pipeline_tests.campaigns.set_ups.play import NOW

Organisation = Callable[[XeroBooks], None]

# Texts of `books.yaml` that a mistake replaces.
GATEWAYS = (
    'payments:\n  shopify_payments: "601"\n  paypal: "602"\n  cash: "603"\n  manual: "604"\n  Bank Deposit: "604" '
)
TAX_RULES = "    - {title: GST, rate: 0.15, tax_type: OUTPUT2}\n    - {rate: 0, tax_type: ZERORATED}\n"


def account(code: str, **changes: Any) -> Organisation:
    """Change an account of the chart."""

    def change(books: XeroBooks) -> None:
        changed = books.account(code)
        assert changed is not None
        changed |= changes

    return change


def several(*changes: Organisation) -> Organisation:
    def change(books: XeroBooks) -> None:
        for each in changes:
            each(books)

    return change


def organisation(**changes: Any) -> Organisation:
    return lambda books: books.organisation.update(changes)


def base_currency(code: str, *others: str) -> Organisation:
    """Set another base currency, with bank accounts without a currency of their own."""

    def change(books: XeroBooks) -> None:
        books.organisation["BaseCurrency"] = code
        books.currencies[:] = [{"Code": currency, "Description": ""} for currency in (code, *others)]
        for changed in books.accounts:
            changed.pop("CurrencyCode", None)

    return change


def tax_rate(tax_type: str, rate: str, *parts: tuple[str, str, bool]) -> Organisation:
    """Add a tax rate with components, each a name, a percentage and whether it is compound."""
    components = [
        {"Name": name, "Rate": Decimal(per_cent), "IsCompound": compound} for name, per_cent, compound in parts
    ]

    def change(books: XeroBooks) -> None:
        known = next(known for known in books.tax_rates if known["TaxType"] == "OUTPUT2")
        figures = {"DisplayTaxRate": Decimal(rate), "EffectiveRate": Decimal(rate), "TaxComponents": components}
        books.tax_rates.append({**known, "TaxType": tax_type, "Name": tax_type, **figures})

    return change


def somebody_elses_invoice(books: XeroBooks) -> None:
    line = {"Description": "By hand", "UnitAmount": 115, "AccountCode": "200", "TaxType": "NONE"}
    by_hand = {"Type": "ACCREC", "InvoiceNumber": "SH-7", "Contact": {"Name": "Somebody else"}, "DueDate": "2026-09-22"}
    Person(books, ManualClock(NOW)).enter_invoice({**by_hand, "LineItems": [line], "Status": "AUTHORISED"})


def named(setting: str, default: str, code: str) -> tuple[tuple[str, str], ...]:
    """Replace an account in `books.yaml`."""
    return ((f'{setting}: "{default}"', f'{setting}: "{code}"'),)
