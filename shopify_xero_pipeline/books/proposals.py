"""Which of Xero's accounts and tax types a remedy proposes, so that the line it shows works as it stands.

A proposal is said with its name and a condition ("if it is paid into 604 Manual Payments"): what the money is really
paid into only people know. None is made where nothing fits; nothing here decides what is booked.
"""

import re
from collections.abc import Sequence

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.books.remedies import NamedTax
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxRate

STORE_CREDIT_GATEWAY = "shopify_store_credit"
MANUAL = "manual"
LONG_WORD = 4
ACTIVE = "ACTIVE"


def clearing_account(gateway: str, policy: BooksPolicy, organisation: Organisation, currency: str) -> Account | None:
    """Return the account a gateway's money is likely paid into.

    It is the one of an entry that is called the same but for its spelling (`Shopify Payments` for `shopify_payments`),
    else one that bears the gateway's name in Xero, else that of `manual` or of the first entry that can be used.
    """
    is_credit = _letters(gateway) == _letters(STORE_CREDIT_GATEWAY)
    usable = [one for one in organisation.accounts if _takes_payments(one, currency, is_liability=is_credit)]
    by_code = {one.code: one for one in usable}
    spelt = [code for name, code in policy.payments.items() if _letters(name) == _letters(gateway)]
    named = [one.code for one in usable if _shares_a_word(gateway, one.name)]
    others = [] if is_credit else [policy.payment_account(MANUAL), *policy.payments.values(), *by_code]
    return next((by_code[code] for code in (*spelt, *named, *others) if code in by_code), None)


def tax_type(taxes: Sequence[NamedTax], policy: BooksPolicy, organisation: Organisation) -> TaxRate | None:
    """Return the active tax rate of Xero with the rate of these taxes together: one already named, else of sales."""
    rates = [tax.rate * 100 for tax in taxes if tax.rate is not None]
    if len(rates) < len(taxes):
        return None
    fitting = [
        one
        for one in organisation.tax_rates
        if one.status == ACTIVE and "REVENUE" in one.applies_to and one.is_of(rates)
    ]
    named = {rule.tax_type for rule in policy.tax.rates}
    return min(fitting, key=lambda one: (one.tax_type not in named, *_of_sales(one)), default=None)


def tax_liability(policy: BooksPolicy, organisation: Organisation) -> Account | None:
    """Return the liability account on which other taxes are booked in mode `lines`, else one that is called tax."""
    usable = {
        one.code: one for one in organisation.accounts if one.status == ACTIVE and one.account_class == "LIABILITY"
    }
    called = [code for code, one in usable.items() if "tax" in one.name.casefold()]
    codes = (*(entry.account for entry in policy.tax.lines), *called)
    return next((usable[code] for code in codes if code in usable), None)


def _takes_payments(account: Account, currency: str, *, is_liability: bool) -> bool:
    if account.code is None or account.status != ACTIVE or account.currency not in (None, "", currency):
        return False
    if is_liability:
        return account.account_class == "LIABILITY" and account.enable_payments
    return account.type == "BANK" or (account.account_class == "ASSET" and account.enable_payments)


def _of_sales(rate: TaxRate) -> tuple[bool, bool, str]:
    name = rate.tax_type.upper()
    return not name.startswith("OUTPUT"), not name.startswith("ZERORATED"), name


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _shares_a_word(gateway: str, name: str) -> bool:
    words = {word for word in re.findall(r"\w+", name.casefold()) if len(word) >= LONG_WORD}
    return bool(words & set(re.findall(r"[^\W_]+", gateway.casefold())))
