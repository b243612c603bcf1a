"""Reasons of orders with a gateway or a tax that `books.yaml` does not name, each with the line to add.

This module only writes reasons; `policy.py` and `tax.py` look up the entries. A line proposes an account or a tax type
of Xero, so that it is valid as printed. The reason states the proposal with its name and a condition ("if it is paid
into 604 Manual Payments"), because only people know the real account. Without a suitable candidate there is no
proposal. Proposals never decide an accounting entry.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

from shopify_xero_pipeline.books import remedies
from shopify_xero_pipeline.books.order_context import OrderContext
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.remedies import NamedTax, Remedy
from shopify_xero_pipeline.books.text import strip_control_chars
from shopify_xero_pipeline.shopify.models import Transaction
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxRate

STORE_CREDIT_GATEWAY = "shopify_store_credit"
MANUAL = "manual"
MIN_WORD_LENGTH = 4  # shorter words, such as "pay", match too many accounts
ACTIVE = "ACTIVE"
NO_TITLE = "Tax"
BY_HAND = "enter this order in Xero by hand"


def no_account(context: OrderContext, transaction: Transaction) -> str:
    """Return the reason for a gateway without an account."""
    gateway = transaction.gateway or ""
    if not gateway.strip():
        return f"transaction {transaction.legacy_id} names no gateway; enter this order's payments in Xero by hand"
    proposal = _propose_account(gateway, context.policy, context.organisation, context.currency)
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
    proposal = _propose_tax_rate(taxes, context.policy, context.organisation)
    condition = "" if proposal is None else f"if it is {proposal.tax_type} ({proposal.name}) in Xero, "
    code = remedies.TAX_TYPE if proposal is None else proposal.tax_type
    remedy = remedies.tax_rate(context.policy, taxes, code)
    return f"no tax rate for {names}{place}; {condition}{_instruction(remedy, code, remedies.TAX_TYPE)}"


def no_tax_account(context: OrderContext, tax: NamedTax) -> str:
    """Return the reason for a tax without an account in mode `lines`."""
    if not remedies.can_be_named(tax):
        return f"a tax without a title and a rate cannot have an entry in books.yaml; {BY_HAND}"
    proposal = _propose_tax_account(context.policy, context.organisation)
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


def _propose_account(gateway: str, policy: BooksPolicy, organisation: Organisation, currency: str) -> Account | None:
    """Return the likely account of a gateway's money, or None.

    The candidates in order: the account of a gateway with the same name in another spelling (`Shopify Payments` for
    `shopify_payments`), an account in Xero with the gateway's name, the account of `manual`, the first usable one.

    Args:
        gateway: the gateway as Shopify names it.
        policy: the settings of `books.yaml`.
        organisation: Xero's settings.
        currency: the order's currency.
    """
    is_credit = _letters(gateway) == _letters(STORE_CREDIT_GATEWAY)
    usable = [
        account for account in organisation.accounts if _accepts_payments(account, currency, is_liability=is_credit)
    ]
    by_code = {account.code: account for account in usable}
    same_name = [code for name, code in policy.payments.items() if _letters(name) == _letters(gateway)]
    similar = [account.code for account in usable if _shares_a_word(gateway, account.name)]
    others = [] if is_credit else [policy.payment_account(MANUAL), *policy.payments.values(), *by_code]
    return next((by_code[code] for code in (*same_name, *similar, *others) if code in by_code), None)


def _propose_tax_rate(taxes: Sequence[NamedTax], policy: BooksPolicy, organisation: Organisation) -> TaxRate | None:
    """Return the active tax rate of Xero with the sum of these rates, or None; a rate in `books.yaml` is preferred.

    Args:
        taxes: the taxes of one sale.
        policy: the settings of `books.yaml`.
        organisation: Xero's settings.
    """
    rates = [tax.rate * 100 for tax in taxes if tax.rate is not None]
    if len(rates) < len(taxes):
        return None
    matches = [
        tax_rate
        for tax_rate in organisation.tax_rates
        if tax_rate.status == ACTIVE and "REVENUE" in tax_rate.applies_to and tax_rate.is_of(rates)
    ]
    known = {rule.tax_type for rule in policy.tax.rates}
    return min(matches, key=lambda rate: (rate.tax_type not in known, *_sales_first(rate)), default=None)


def _propose_tax_account(policy: BooksPolicy, organisation: Organisation) -> Account | None:
    """Return the liability account of another tax in mode `lines`, else one with tax in its name, or None."""
    usable = {
        account.code: account
        for account in organisation.accounts
        if account.status == ACTIVE and account.account_class == "LIABILITY"
    }
    similar = [code for code, account in usable.items() if "tax" in account.name.casefold()]
    codes = (*(tax.account for tax in policy.tax.lines), *similar)
    return next((usable[code] for code in codes if code in usable), None)


def _accepts_payments(account: Account, currency: str, *, is_liability: bool) -> bool:
    if account.code is None or account.status != ACTIVE or account.currency not in (None, "", currency):
        return False
    if is_liability:
        return account.account_class == "LIABILITY" and account.enable_payments
    return account.type == "BANK" or (account.account_class == "ASSET" and account.enable_payments)


def _sales_first(rate: TaxRate) -> tuple[bool, bool, str]:
    name = rate.tax_type.upper()
    return not name.startswith("OUTPUT"), not name.startswith("ZERORATED"), name


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _shares_a_word(gateway: str, name: str) -> bool:
    words = {word for word in re.findall(r"\w+", name.casefold()) if len(word) >= MIN_WORD_LENGTH}
    return bool(words & set(re.findall(r"[^\W_]+", gateway.casefold())))
