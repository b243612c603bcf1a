"""Preflight check of `books.yaml` against the shop and Xero: accounts, tax types, currencies and lock date.

This module only compares settings and reads no orders. `account_roles.py` defines the account classes of each setting.
`plan`, `sync`, Dagster runs and `doctor` share this check. A problem that would book money wrongly, or that Xero would
reject, stops a run. An unusual setting yields a warning.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from shopify_xero_pipeline.books import account_roles
from shopify_xero_pipeline.books.account_roles import (
    CLEARING,
    CURRENT_ASSETS,
    LINE_ROLES,
    OPTIONAL_LINE_ROLES,
    STORE_CREDIT,
    Fit,
    Role,
)
from shopify_xero_pipeline.books.policy import BooksPolicy, TaxRule
from shopify_xero_pipeline.books.unmapped import STORE_CREDIT_GATEWAY
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxRate

REVENUE_SETTINGS = ("sales", "shipping", "fees", "duties")
PAYING_SETTINGS = ("gift_cards", "channel_tax")
ACTIVE = "ACTIVE"


class Severity(StrEnum):
    """Severity of a problem: `fail` stops every run, `warn` is only reported."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True)
class Problem:
    """A setting that does not fit the shop or Xero.

    Attributes:
        severity: whether the problem stops a run.
        setting: the dotted name in `books.yaml`; '' for a problem in Xero or Shopify alone.
        message: the problem, with both values.
        remedy: the fix.
    """

    severity: Severity
    setting: str
    message: str
    remedy: str

    @property
    def sentence(self) -> str:
        """Message and remedy as one sentence."""
        return f"{self.message}: {self.remedy}."


@dataclass(frozen=True)
class _Use:
    """A setting that names an account; `role` is its key in the table of roles, or the gateway."""

    setting: str
    code: str
    role: str

    def describe(self, account: Account) -> str:
        """Return the beginning of a message about the account."""
        name = "" if account.name in ("", account.code) else f" {account.name}"
        return f"{self.setting} names account {account.code}{name}"

    def fail(self, message: str, remedy: str) -> Problem:
        """Return a problem that stops a run."""
        return Problem(Severity.FAIL, self.setting, message, remedy)

    def warn(self, message: str, remedy: str) -> Problem:
        """Return a problem that is only reported."""
        return Problem(Severity.WARN, self.setting, message, remedy)


@dataclass(frozen=True)
class _Comparison:
    """The policy, with Xero's accounts by code and its active tax rates by tax type."""

    policy: BooksPolicy
    accounts: dict[str, Account]
    rates: dict[str, TaxRate]


def policy_problems(
    policy: BooksPolicy, organisation: Organisation, *, shop_currency: str = "", today: date | None = None
) -> list[Problem]:
    """Return the problems, each once, by topic.

    Args:
        policy: the settings of `books.yaml`.
        organisation: Xero's settings.
        shop_currency: the shop's currency; '' skips the check of currencies.
        today: the present day in the shop's time zone; None skips the check of the lock date.
    """
    comparison = _Comparison(
        policy,
        {account.code: account for account in organisation.accounts if account.code},
        {rate.tax_type: rate for rate in organisation.tax_rates if rate.status == ACTIVE},
    )
    problems = [
        *_lock_date(policy, organisation, today),
        *_currencies(comparison, organisation, shop_currency),
        *_accounts(comparison, _line_uses(policy), _line_account),
        *_accounts(comparison, _payment_uses(policy), _payment_account),
        *_shared_accounts(policy),
        *_empty_settings(policy),
        *_tax_types(comparison),
    ]
    return list(dict.fromkeys(problems))


def blocking_problems(problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems that stop a run.

    Args:
        problems: problems of any severity.
    """
    return [problem for problem in problems if problem.severity is Severity.FAIL]


def _lock_date(policy: BooksPolicy, organisation: Organisation, today: date | None) -> Iterator[Problem]:
    locked_until = organisation.locked_until
    if today is None or locked_until is None or locked_until < today:
        return
    message = f"Xero's lock date is {locked_until}, and today is {today}"
    if policy.locked_period == "block":
        remedy = "move the lock date in Xero, as all orders of today are blocked"
        yield Problem(Severity.FAIL, "locked_period", message, remedy)
    else:
        remedy = "move the lock date in Xero, or all records of today are dated in the future (locked_period)"
        yield Problem(Severity.WARN, "locked_period", message, remedy)


def _currencies(comparison: _Comparison, organisation: Organisation, shop_currency: str) -> Iterator[Problem]:
    base, name = organisation.base_currency, organisation.name
    if not shop_currency:
        return
    if shop_currency != base and shop_currency not in organisation.currencies:
        message = (
            f"the shop's currency is {shop_currency}, which is not enabled in {name} in Xero (base currency {base})"
        )
        remedy = f"add {shop_currency} in Xero under Settings, Currencies, or connect the right organisation"
        yield Problem(Severity.FAIL, "", message, remedy)
        return
    if shop_currency != base:
        message = f"the shop's currency is {shop_currency}, but the base currency of {name} in Xero is {base}"
        remedy = "no action if that is intended: Xero converts each document at its own rate of the day"
        yield Problem(Severity.WARN, "", message, remedy)
    for use in _payment_uses(comparison.policy):
        account = comparison.accounts.get(use.code)
        if account is not None and account.currency not in (None, "", shop_currency):
            message = f"{use.describe(account)}, whose currency in Xero is {account.currency}"
            yield use.fail(message, f"name an account in {shop_currency}, the currency of the shop's orders")


def _line_uses(policy: BooksPolicy) -> list[_Use]:
    """Return the settings whose accounts document lines have, without optional ones that the file does not name."""
    accounts = policy.accounts
    names = [name for name in LINE_ROLES if name not in OPTIONAL_LINE_ROLES or name in accounts.model_fields_set]
    codes = {name: getattr(accounts, name, None) for name in names}
    settings = [_Use(f"accounts.{name}", code, name) for name, code in codes.items() if isinstance(code, str)]
    overrides = [
        _Use(f"accounts.overrides[{index}]", override.account, "overrides")
        for index, override in enumerate(accounts.overrides)
    ]
    taxes = [_Use(f"tax.lines[{index}]", tax.account, "tax") for index, tax in enumerate(policy.tax.lines)]
    return [*settings, *overrides, *(taxes if policy.tax.mode == "lines" else [])]


def _payment_uses(policy: BooksPolicy) -> list[_Use]:
    """Return the settings whose accounts payments have."""
    liabilities = [_Use(f"accounts.{name}", getattr(policy.accounts, name), name) for name in PAYING_SETTINGS]
    gateways = {name: code for name, code in policy.payments.items() if not policy.is_left_to_others(name)}
    return [*liabilities, *(_Use(f"payments.{gateway}", code, gateway) for gateway, code in gateways.items())]


def _accounts(
    comparison: _Comparison, uses: Sequence[_Use], check: Callable[[_Use, Account], Iterator[Problem]]
) -> Iterator[Problem]:
    """Yield the problems of settings that name an account, by a check of accounts that can be used."""
    for use in uses:
        account = comparison.accounts.get(use.code)
        if account is None:
            message = f"{use.setting} names account {use.code}, which Xero does not have"
            yield use.fail(message, "create it in Xero, or name another in books.yaml")
        elif account.status != ACTIVE:
            message = f"{use.describe(account)}, which is {account.status.lower()} in Xero"
            yield use.fail(message, "restore it, or name another in books.yaml")
        else:
            yield from check(use, account)


def _line_account(use: _Use, account: Account) -> Iterator[Problem]:
    message, role = use.describe(account), LINE_ROLES[use.role]
    if account.type == account_roles.BANK:
        yield use.fail(f"{message}, a bank account, which Xero does not allow on invoice lines", f"name {role.needs}")
    elif account_roles.is_named_for_another_purpose(use.role, account):
        yield use.fail(
            f"{message}, which Xero's chart reserves for another purpose; {role.purpose} booked on {role.needs} of"
            " their own",
            "create one in Xero and name it in books.yaml",
        )
    elif not account_roles.is_named_for(use.role, account):
        yield from _class_problem(use, account, role)


def _class_problem(use: _Use, account: Account, role: Role) -> Iterator[Problem]:
    """Compare the account's class with the setting's role."""
    kind = account_roles.kind_of(account)
    fit = role.check(kind)
    message = f"{use.describe(account)}, whose class in Xero is {account.account_class}"
    if fit is Fit.WRONG:
        message = f"{message}; {role.purpose} booked on {role.needs}"
        yield use.fail(message, "name one in books.yaml, or create it in Xero")
    elif fit is Fit.UNUSUAL:
        message = f"{message}, which {role.unusual[kind]}; {role.purpose} usually booked on {role.needs}"
        yield use.warn(message, "if that is not intended, name another one in books.yaml")


def _payment_account(use: _Use, account: Account) -> Iterator[Problem]:
    problems = [] if use.role in PAYING_SETTINGS else list(_clearing_account(use, account))
    yield from problems
    if not blocking_problems(problems) and account.type != account_roles.BANK and not account.enable_payments:
        message = f"{use.describe(account)}, for which payments are not enabled"
        alternative = "" if use.role in PAYING_SETTINGS else ", or name a bank account"
        remedy = f"tick 'Enable payments to this account' for it in Xero's chart of accounts{alternative}"
        yield use.fail(message, remedy)


def _clearing_account(use: _Use, account: Account) -> Iterator[Problem]:
    is_credit = use.role.strip().casefold() == STORE_CREDIT_GATEWAY
    if account.account_class == account_roles.ASSET and account.type not in (account_roles.BANK, *CURRENT_ASSETS):
        message = f"{use.describe(account)}, whose type in Xero is {account.type}"
        yield use.fail(f"{message}; {CLEARING.purpose} booked on {CLEARING.needs}", "name one")
        return
    yield from _class_problem(use, account, STORE_CREDIT if is_credit else CLEARING)


def _shared_accounts(policy: BooksPolicy) -> Iterator[Problem]:
    """Yield settings that share the gift-card liability account, which the roll-forward needs for gift cards alone."""
    code = policy.accounts.gift_cards
    for use in _line_uses(policy):
        if use.role in ("tips", "channel_tax", "tax") and use.code == code:
            message = f"{use.setting} and accounts.gift_cards name the same account, {code}"
            remedy = "name a separate account for each, or its balance is not the value of unused gift cards"
            yield use.warn(message, remedy)


def _empty_settings(policy: BooksPolicy) -> Iterator[Problem]:
    if not policy.payments:
        message = "payments names no gateway, so every paid order is blocked"
        yield Problem(Severity.WARN, "payments", message, "name the account of each gateway in books.yaml")
    targets = {"rates": "Xero's tax type", "lines": "the liability account"}
    if not getattr(policy.tax, policy.tax.mode):
        setting = f"tax.{policy.tax.mode}"
        message = f"{setting} names no tax, so every order with tax is blocked"
        yield Problem(Severity.WARN, setting, message, f"name {targets[policy.tax.mode]} of each tax in books.yaml")


def _tax_types(comparison: _Comparison) -> Iterator[Problem]:
    uses, tax = _line_uses(comparison.policy), comparison.policy.tax
    taxable = [use for use in uses if use.role in (*REVENUE_SETTINGS, "overrides")]
    untaxed = [use for use in uses if use not in taxable]
    zero = [Decimal(0)]
    if tax.mode == "lines":  # all lines of all documents have tax.none
        yield from _tax_type("tax.none", tax.none, zero, uses, comparison)
        return
    yield from _tax_type("tax.none", tax.none, zero, untaxed, comparison)
    yield from _tax_type("tax.untaxed", tax.untaxed, zero, taxable, comparison, other_rate=Severity.WARN)
    for country, code in tax.untaxed_by_country.items():
        setting = f"tax.untaxed_by_country.{country}"
        yield from _tax_type(setting, code, zero, taxable, comparison, other_rate=Severity.WARN)
    yield from _tax_type("tax.channel_liable", tax.channel_liable, zero, taxable, comparison)
    for index, rule in enumerate(tax.rates):
        setting, rates = f"tax.rates[{index}].tax_type", _stated_rates(rule)
        yield from _tax_type(setting, rule.tax_type, rates, taxable, comparison, other_rate=Severity.WARN)


def _stated_rates(rule: TaxRule) -> list[Decimal] | None:
    """Return the rates of a rule in per cent; None if one of its taxes has no rate."""
    rates = [part.rate * 100 for part in rule.parts if part.rate is not None]
    return rates if len(rates) == len(rule.parts) else None


def _tax_type(
    setting: str,
    code: str,
    stated: list[Decimal] | None,
    used_on: Sequence[_Use],
    comparison: _Comparison,
    *,
    other_rate: Severity = Severity.FAIL,
) -> Iterator[Problem]:
    """Compare a tax type with its expected rate and with the accounts of its lines.

    Another rate does not change an amount, because amounts come from Shopify. It changes Xero's tax return, so it stops
    a run for lines without tax; where it may be intended, `other_rate` lowers the severity.

    Args:
        setting: the dotted setting that names the tax type.
        code: the tax type.
        stated: the expected rates in per cent; None for any rate.
        used_on: the settings whose accounts have lines of this tax type.
        comparison: Xero's accounts and tax rates.
        other_rate: the severity of another rate.
    """
    rate = comparison.rates.get(code)
    if rate is None:
        message = f"{setting} names the tax type {code}, which does not exist or is not active in Xero"
        yield Problem(Severity.FAIL, setting, message, f"name one of {', '.join(sorted(comparison.rates))}")
        return
    if stated is not None and not rate.is_of(stated):
        yield _other_rate(other_rate, setting, rate, sum(stated, Decimal(0)))
    for use in used_on:
        account = comparison.accounts.get(use.code)
        if account is not None and account.account_class not in rate.applies_to:
            target = f"{use.setting} {account.code} ({account.account_class.lower()})"
            message = f"{setting} names {code}, which Xero does not allow on {target}"
            yield Problem(Severity.FAIL, setting, message, "name another tax type, or another account")


def _other_rate(severity: Severity, setting: str, rate: TaxRate, stated: Decimal) -> Problem:
    parts = ", ".join(
        f"{part.name} {_number(part.rate)} %{' on top of the others' if part.is_compound else ''}"
        for part in rate.components
    )
    composition = f" ({parts})" if len(rate.components) > 1 else ""
    message = (
        f"{setting} names {rate.tax_type}, which is {_number(rate.effective_rate)} % in Xero{composition}, but"
        f" books.yaml states {_number(stated)} %"
    )
    condition = "if that is not intended, " if severity is Severity.WARN else ""
    return Problem(severity, setting, message, f"{condition}name the tax type of that rate")


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"
