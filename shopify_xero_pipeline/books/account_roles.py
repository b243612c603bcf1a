"""Account classes that each setting of `books.yaml` accepts.

This module only holds the table and compares an account with it. `preflight.py` collects the settings and checks that
Xero has their accounts. The table follows docs/books.md §2: debts are liabilities, income is revenue, money in transit
is an asset. A class that an accountant may choose on purpose is unusual, not wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shopify_xero_pipeline.xero.models import Account

ASSET, EQUITY, EXPENSE, LIABILITY, REVENUE = "ASSET", "EQUITY", "EXPENSE", "LIABILITY", "REVENUE"
BANK = "BANK"
SYSTEM_ACCOUNTS = {"rounding": "ROUNDING", "tax": "GST"}
"""System accounts of Xero that a setting may name. Document lines use no other system account.

Source: docs/contracts/xero.md §6.6.
"""
CURRENT_ASSETS = frozenset({"CURRENT", "PREPAYMENT"})
"""Account types of the class ASSET that fit a clearing account. The other types are stock, equipment and the like."""


class Fit(StrEnum):
    """Suitability of an account for a setting."""

    GOOD = "good"
    UNUSUAL = "unusual"
    WRONG = "wrong"


@dataclass(frozen=True)
class Role:
    """Purpose of a setting's account.

    Attributes:
        purpose: the amounts booked on the account, as the subject of a sentence.
        good: account classes that fit.
        unusual: account classes that may be intended, each with its consequence.
        needs: the kind of account to name.
    """

    purpose: str
    good: frozenset[str]
    unusual: Mapping[str, str]
    needs: str

    def check(self, account_class: str) -> Fit:
        """Return the suitability of an account class."""
        if account_class in self.good:
            return Fit.GOOD
        return Fit.UNUSUAL if account_class in self.unusual else Fit.WRONG


REDUCES_COST = "sets it off against a cost"
OWED_TO_OTHERS = "means that the shop owes it to another party"
REVENUE_ROLE, LIABILITY_ROLE = "a revenue account", "a current liability account"
PAYABLE_LIABILITY = f"{LIABILITY_ROLE} with payments enabled"

LINE_ROLES: Mapping[str, Role] = {
    "sales": Role("sales of goods are", frozenset({REVENUE}), {LIABILITY: OWED_TO_OTHERS}, REVENUE_ROLE),
    "overrides": Role("sales of goods are", frozenset({REVENUE}), {LIABILITY: OWED_TO_OTHERS}, REVENUE_ROLE),
    "shipping": Role(
        "shipping charged is", frozenset({REVENUE}), {EXPENSE: REDUCES_COST, LIABILITY: OWED_TO_OTHERS}, REVENUE_ROLE
    ),
    "fees": Role(
        "fees charged are", frozenset({REVENUE}), {EXPENSE: REDUCES_COST, LIABILITY: OWED_TO_OTHERS}, REVENUE_ROLE
    ),
    "duties": Role(
        "duties charged are",
        frozenset({REVENUE, LIABILITY}),
        {EXPENSE: REDUCES_COST},
        f"{REVENUE_ROLE} or {LIABILITY_ROLE}",
    ),
    "adjustments": Role("refund differences are", frozenset({REVENUE, EXPENSE}), {}, "a revenue or expense account"),
    "tips": Role(
        "tips not yet paid out are",
        frozenset({LIABILITY}),
        {REVENUE: "means that the shop does not pay them out"},
        LIABILITY_ROLE,
    ),
    "gift_cards": Role("gift cards sold and not yet used are", frozenset({LIABILITY}), {}, PAYABLE_LIABILITY),
    "channel_tax": Role(
        "tax that a marketplace remits is",
        frozenset({LIABILITY}),
        {ASSET: "makes it a clearing account"},
        PAYABLE_LIABILITY,
    ),
    "rounding": Role(
        "rounding differences are",
        frozenset({EXPENSE, REVENUE}),
        {LIABILITY: "leaves them in the balance sheet"},
        "Xero's rounding account, or an expense or revenue account",
    ),
    "exchange": Role("exchange differences are", frozenset({EXPENSE, REVENUE}), {}, "an expense or revenue account"),
    "gift_card_discounts": Role(
        "discounts on gift cards are", frozenset({EXPENSE, REVENUE}), {}, "an expense or revenue account"
    ),
    "tax": Role("tax that was collected is", frozenset({LIABILITY}), {}, LIABILITY_ROLE),
}
"""Roles by setting below `accounts`. `overrides` applies to each of its entries, `tax` to each of `tax.lines`."""

OPTIONAL_LINE_ROLES = frozenset({"exchange", "gift_card_discounts"})
"""Accounts that few shops need: compared only if `books.yaml` names one."""

CLEARING = Role(
    "a gateway's money is",
    frozenset({BANK, ASSET}),
    {
        LIABILITY: "means that the shop owes the money it receives",
        EXPENSE: "books the money as a reduction of cost",
        EQUITY: "books the money as owners' equity",
    },
    "a bank account, or a current asset account with payments enabled",
)
STORE_CREDIT = Role(
    "store credit is",
    frozenset({LIABILITY}),
    {BANK: "counts it as money", ASSET: "counts it as money"},
    PAYABLE_LIABILITY,
)

RESERVED_NAMES = re.compile(
    r"\b(corporation tax|income tax|director\W?s?\W? loan|shareholder\W?s?\W? loan|owner [a-z]|drawings|paye|"
    r"funds introduced|nic payable|national insurance|payroll|wages|superannuation|kiwisaver|pension|student loan|vat|"
    r"gst|sales tax|accounts? (payable|receivable)|trade (debtors|creditors)|unpaid expense claims|suspense|"
    r"historical adjustment|retained earnings|accruals|tracking transfers|rounding|loan)\b",
    re.IGNORECASE,
)
"""Account names that Xero's default charts (Australia, New Zealand, United Kingdom, United States) use otherwise.

Some of these accounts have this project's default codes: 830 is Provision for Corporation Tax in the United Kingdom and
Income Tax Payable in New Zealand, 835 is the Directors' Loan Account.
"""

PERMITTED_NAMES: Mapping[str, re.Pattern[str]] = {
    "channel_tax": re.compile(r"vat|gst|sales tax", re.IGNORECASE),
    "tax": re.compile(r"vat|gst|sales tax", re.IGNORECASE),
    "tips": re.compile(r"wages|payroll", re.IGNORECASE),
    "rounding": re.compile(r"rounding", re.IGNORECASE),
    "exchange": re.compile(r"rounding", re.IGNORECASE),
}
"""Names that match RESERVED_NAMES but suit the setting."""

LIABILITIES = frozenset({"tips", "gift_cards", "channel_tax", "tax", "duties"})
"""Settings whose account must not have a name that matches RESERVED_NAMES."""


def kind_of(account: Account) -> str:
    """Return an account's class, or BANK for a bank account of any class."""
    return BANK if account.type == BANK else account.account_class


def is_named_for(name: str, account: Account) -> bool:
    """Return whether an account is Xero's system account for a setting."""
    return account.system_account is not None and account.system_account == SYSTEM_ACCOUNTS.get(name)


def is_named_for_another_purpose(name: str, account: Account) -> bool:
    """Return whether an account's name or system role shows that Xero reserves it for another purpose."""
    if account.system_account is not None:
        return not is_named_for(name, account)
    is_reserved = name in LIABILITIES and RESERVED_NAMES.search(account.name) is not None
    permitted = PERMITTED_NAMES.get(name)
    return is_reserved and not (permitted is not None and permitted.search(account.name))
