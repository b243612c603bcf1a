"""The reasons of orders with a gateway or a tax that `books.yaml` does not name, each with the line to add.

Only words belong here; whether an entry covers a name is decided in `policy.py` and `tax.py`.
"""

from collections.abc import Sequence
from decimal import Decimal

from shopify_xero_pipeline.books import proposals, remedies
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.remedies import NamedTax, Remedy
from shopify_xero_pipeline.books.text import strip_control_chars
from shopify_xero_pipeline.shopify.models import Transaction

NO_TITLE = "Tax"
BY_HAND = "enter this order in Xero by hand"


def no_account(case: OrderContext, transaction: Transaction) -> str:
    """Return why money through a gateway without an account is not posted."""
    gateway = transaction.gateway or ""
    if not gateway.strip():
        return f"transaction {transaction.legacy_id} names no gateway; enter this order's payments in Xero by hand"
    found = proposals.clearing_account(gateway, case.policy, case.organisation, case.currency)
    said = "" if found is None else f"if it is paid into {found.code} {found.name}, "
    code = (found.code if found is not None else None) or remedies.ACCOUNT
    remedy = remedies.payment(case.policy, gateway, code)
    return f"no account for money through {gateway}; {said}{_with(remedy, code, remedies.ACCOUNT)}"


def no_tax_rate(case: OrderContext, taxes: Sequence[NamedTax], country: str | None) -> str:
    """Return why a row with these taxes is not posted."""
    names = " + ".join(label(tax) for tax in taxes)
    place = f" (goods to {country})" if country else ""
    if not all(map(remedies.can_be_named, taxes)):
        return f"a tax without a title and a rate{place} is one that no entry can name; {BY_HAND}"
    found = proposals.tax_type(taxes, case.policy, case.organisation)
    said = "" if found is None else f"if {found.tax_type} ({found.name}) in Xero stands for it, "
    code = remedies.TAX_TYPE if found is None else found.tax_type
    remedy = remedies.tax_rate(case.policy, taxes, code)
    return f"no tax rate for {names}{place}; {said}{_with(remedy, code, remedies.TAX_TYPE)}"


def no_tax_account(case: OrderContext, tax: NamedTax) -> str:
    """Return why a tax is not posted as a line of its own."""
    if not remedies.can_be_named(tax):
        return f"a tax without a title and a rate is one that no entry can name; {BY_HAND}"
    found = proposals.tax_liability(case.policy, case.organisation)
    said = "" if found is None else f"if it is owed on {found.code} {found.name}, "
    code = (found.code if found is not None else None) or remedies.ACCOUNT
    remedy = remedies.tax_account(case.policy, tax, code)
    return f"no account for the tax {label(tax)}; {said}{_with(remedy, code, remedies.ACCOUNT)}"


def label(tax: NamedTax) -> str:
    """Return a tax as people know it: `GST 15 %`, or `Tax 15 %` if nothing of its title can be seen."""
    return f"{strip_control_chars(tax.title) or NO_TITLE} {percent(tax.rate)}".strip()


def percent(rate: Decimal | None) -> str:
    """Return a fraction as people write it: 0.15 is `15 %`; None is ''."""
    return "" if rate is None else f"{(rate * 100).normalize():f} %"


def _with(remedy: Remedy, code: str, placeholder: str) -> str:
    """Return the instruction, after what to write in the placeholder's stead where nothing could be proposed."""
    return f"with Xero's code for it instead of {code}, {remedy.sentence}" if code == placeholder else remedy.sentence
