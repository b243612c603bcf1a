"""Reasons of orders with a gateway or a tax that `books.yaml` does not name, each with the line to add.

This module only writes reasons; `policy.py` and `tax.py` look up the entries.
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


def no_account(context: OrderContext, transaction: Transaction) -> str:
    """Return the reason for a gateway without an account."""
    gateway = transaction.gateway or ""
    if not gateway.strip():
        return f"transaction {transaction.legacy_id} names no gateway; enter this order's payments in Xero by hand"
    proposal = proposals.clearing_account(gateway, context.policy, context.organisation, context.currency)
    condition = "" if proposal is None else f"if it is paid into {proposal.code} {proposal.name}, "
    code = (proposal.code if proposal is not None else None) or remedies.ACCOUNT
    remedy = remedies.payment(context.policy, gateway, code)
    return f"no account for money through {gateway}; {condition}{_instruction(remedy, code, remedies.ACCOUNT)}"


def no_tax_rate(context: OrderContext, taxes: Sequence[NamedTax], country: str | None) -> str:
    """Return the reason for a sale whose taxes no entry matches.

    Args:
        context: the order.
        taxes: the sale's taxes.
        country: the country code of delivery, or None.
    """
    names = " + ".join(label(tax) for tax in taxes)
    place = f" (goods to {country})" if country else ""
    if not all(map(remedies.can_be_named, taxes)):
        return f"a tax without a title and a rate{place} cannot have an entry in books.yaml; {BY_HAND}"
    proposal = proposals.tax_type(taxes, context.policy, context.organisation)
    condition = "" if proposal is None else f"if it is {proposal.tax_type} ({proposal.name}) in Xero, "
    code = remedies.TAX_TYPE if proposal is None else proposal.tax_type
    remedy = remedies.tax_rate(context.policy, taxes, code)
    return f"no tax rate for {names}{place}; {condition}{_instruction(remedy, code, remedies.TAX_TYPE)}"


def no_tax_account(context: OrderContext, tax: NamedTax) -> str:
    """Return the reason for a tax without an account in mode `lines`."""
    if not remedies.can_be_named(tax):
        return f"a tax without a title and a rate cannot have an entry in books.yaml; {BY_HAND}"
    proposal = proposals.tax_liability(context.policy, context.organisation)
    condition = "" if proposal is None else f"if its account is {proposal.code} {proposal.name}, "
    code = (proposal.code if proposal is not None else None) or remedies.ACCOUNT
    remedy = remedies.tax_account(context.policy, tax, code)
    return f"no account for the tax {label(tax)}; {condition}{_instruction(remedy, code, remedies.ACCOUNT)}"


def label(tax: NamedTax) -> str:
    """Return a tax's name for people: `GST 15 %`, or `Tax 15 %` if its title has no visible character."""
    return f"{strip_control_chars(tax.title) or NO_TITLE} {percent(tax.rate)}".strip()


def percent(rate: Decimal | None) -> str:
    """Return a fraction as a percentage: 0.15 is `15 %`; None is ''."""
    return "" if rate is None else f"{(rate * 100).normalize():f} %"


def _instruction(remedy: Remedy, code: str, placeholder: str) -> str:
    """Return the remedy's sentence; without a proposal it begins with the replacement for the placeholder."""
    return f"with Xero's code for it instead of {code}, {remedy.sentence}" if code == placeholder else remedy.sentence
