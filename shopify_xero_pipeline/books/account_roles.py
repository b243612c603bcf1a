"""What kind of account each setting needs: which classes of Xero's chart make sense, and which would be wrong.

Only the table and its verdicts belong here; where the settings stand and whether Xero has the account is asked in
`preflight.py`. The table follows docs/books.md, "The accounts": what is owed to people is a liability, what is earned
is revenue, money on its way is an asset. A class that an accountant may choose for a reason is unusual, not wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shopify_xero_pipeline.xero.models import Account

ASSET, EQUITY, EXPENSE, LIABILITY, REVENUE = "ASSET", "EQUITY", "EXPENSE", "LIABILITY", "REVENUE"
BANK = "BANK"
SYSTEM_ACCOUNTS = {"rounding": "ROUNDING", "tax": "GST"}
"""Which of Xero's system accounts a setting may name; the others take no lines of ours.

Source: docs/contracts/xero.md §6.6.
"""
CURRENT_ASSETS = frozenset({"CURRENT", "PREPAYMENT"})
"""Types of the class ASSET that money can be on its way on; the others are stock, equipment and the like."""


class Fit(StrEnum):
    """How well an account serves a setting."""

    GOOD = "good"
    UNUSUAL = "unusual"
    WRONG = "wrong"


@dataclass(frozen=True)
class Role:
    """What a setting's account is for.

    Attributes:
        holds: what is booked on it, as the subject of a sentence.
        good: classes that fit.
        unusual: classes that may be meant, with what choosing them would mean.
        needs: the kind of account to name.
    """

    purpose: str
    good: frozenset[str]
    unusual: Mapping[str, str]
    needs: str

    def check(self, account_class: str) -> Fit:
        """Return how well an account of a class serves."""
        if account_class in self.good:
            return Fit.GOOD
        return Fit.UNUSUAL if account_class in self.unusual else Fit.WRONG


NETTED = "sets it off against a cost"
OTHERS_ROLE = "means that it is owed to somebody else"
REVENUE_ROLE, LIABILITY_ROLE = "a revenue account", "a current liability account"
PAYABLE_LIABILITY = f"{LIABILITY_ROLE} with payments enabled"

LINE_ROLES: Mapping[str, Role] = {
    "sales": Role("sales of goods are", frozenset({REVENUE}), {LIABILITY: OTHERS_ROLE}, REVENUE_ROLE),
    "overrides": Role("sales of goods are", frozenset({REVENUE}), {LIABILITY: OTHERS_ROLE}, REVENUE_ROLE),
    "shipping": Role(
        "shipping charged is", frozenset({REVENUE}), {EXPENSE: NETTED, LIABILITY: OTHERS_ROLE}, REVENUE_ROLE
    ),
    "fees": Role("fees charged are", frozenset({REVENUE}), {EXPENSE: NETTED, LIABILITY: OTHERS_ROLE}, REVENUE_ROLE),
    "duties": Role(
        "duties charged are", frozenset({REVENUE, LIABILITY}), {EXPENSE: NETTED}, f"{REVENUE_ROLE} or {LIABILITY_ROLE}"
    ),
    "adjustments": Role(
        "differences of refunds are", frozenset({REVENUE, EXPENSE}), {}, "a revenue or expense account"
    ),
    "tips": Role(
        "tips not yet paid out are", frozenset({LIABILITY}), {REVENUE: "means that the shop keeps them"}, LIABILITY_ROLE
    ),
    "gift_cards": Role("gift cards sold and not yet used are", frozenset({LIABILITY}), {}, PAYABLE_LIABILITY),
    "channel_tax": Role(
        "tax that a marketplace keeps is",
        frozenset({LIABILITY}),
        {ASSET: "makes it a clearing account"},
        PAYABLE_LIABILITY,
    ),
    "rounding": Role(
        "odd cents are",
        frozenset({EXPENSE, REVENUE}),
        {LIABILITY: "leaves them in the balance sheet"},
        "Xero's rounding account, or an expense or revenue account",
    ),
    "exchange": Role("differences of exchange are", frozenset({EXPENSE, REVENUE}), {}, "an expense or revenue account"),
    "gift_card_discounts": Role(
        "discounts on gift cards are", frozenset({EXPENSE, REVENUE}), {}, "an expense or revenue account"
    ),
    "tax": Role("tax that was collected is", frozenset({LIABILITY}), {}, LIABILITY_ROLE),
}
"""By the name below `accounts`; `overrides` for each of its entries, `tax` for each of `tax.lines`."""

OPTIONAL_LINE_ROLES = frozenset({"exchange", "gift_card_discounts"})
"""Accounts that few shops need: compared only where `books.yaml` names one."""

CLEARING = Role(
    "money of a gateway is",
    frozenset({BANK, ASSET}),
    {
        LIABILITY: "means that the shop owes what comes in",
        EXPENSE: "books what comes in as a cost that was saved",
        EQUITY: "books what comes in as the owners'",
    },
    "a bank account, or a current asset account with payments enabled",
)
STORE_CREDIT = Role(
    "store credit is",
    frozenset({LIABILITY}),
    {BANK: "counts it as money", ASSET: "counts it as money"},
    PAYABLE_LIABILITY,
)

FOREIGN = re.compile(
    r"\b(corporation tax|income tax|director\W?s?\W? loan|shareholder\W?s?\W? loan|owner [a-z]|drawings|paye|"
    r"funds introduced|nic payable|national insurance|payroll|wages|superannuation|kiwisaver|pension|student loan|vat|"
    r"gst|sales tax|accounts? (payable|receivable)|trade (debtors|creditors)|unpaid expense claims|suspense|"
    r"historical adjustment|retained earnings|accruals|tracking transfers|rounding|loan)\b",
    re.IGNORECASE,
)
"""Names of accounts that Xero's stock charts (Australia, New Zealand, United Kingdom, United States) give to something
else, some of them under the codes that are this project's defaults: 830 is Provision for Corporation Tax in the United
Kingdom and Income Tax Payable in New Zealand, 835 the Directors' Loan Account."""

MAY_BE_CALLED: Mapping[str, re.Pattern[str]] = {
    "channel_tax": re.compile(r"vat|gst|sales tax", re.IGNORECASE),
    "tax": re.compile(r"vat|gst|sales tax", re.IGNORECASE),
    "tips": re.compile(r"wages|payroll", re.IGNORECASE),
    "rounding": re.compile(r"rounding", re.IGNORECASE),
    "exchange": re.compile(r"rounding", re.IGNORECASE),
}
LIABILITIES = frozenset({"tips", "gift_cards", "channel_tax", "tax", "duties"})


def kind_of(account: Account) -> str:
    """Return the class by which an account is judged; money in a bank account is money, whatever the class is."""
    return BANK if account.type == BANK else account.account_class


def is_named_for(name: str, account: Account) -> bool:
    """Return whether an account is the one that Xero itself keeps for a setting, whatever class it has."""
    return account.system_account is not None and account.system_account == SYSTEM_ACCOUNTS.get(name)


def is_named_for_another_purpose(name: str, account: Account) -> bool:
    """Return whether an account bears the name, or is the one, that Xero keeps for something else than a setting's."""
    if account.system_account is not None:
        return not is_named_for(name, account)
    found = FOREIGN.search(account.name) if name in LIABILITIES else None
    allowed = MAY_BE_CALLED.get(name)
    return found is not None and not (allowed is not None and allowed.search(account.name))
