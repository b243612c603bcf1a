"""Accounts and tax types of Xero that a remedy proposes, so that its line of `books.yaml` is valid as printed.

A reason states a proposal with its name and a condition ("if it is paid into 604 Manual Payments"), because only people
know the real account. Without a suitable candidate there is no proposal. Proposals never decide an accounting entry.
"""

import re
from collections.abc import Sequence

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.remedies import NamedTax
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxRate

STORE_CREDIT_GATEWAY = "shopify_store_credit"
MANUAL = "manual"
MIN_WORD_LENGTH = 4  # shorter words, such as "pay", match too many accounts
ACTIVE = "ACTIVE"


def clearing_account(gateway: str, policy: BooksPolicy, organisation: Organisation, currency: str) -> Account | None:
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


def tax_type(taxes: Sequence[NamedTax], policy: BooksPolicy, organisation: Organisation) -> TaxRate | None:
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


def tax_liability(policy: BooksPolicy, organisation: Organisation) -> Account | None:
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
