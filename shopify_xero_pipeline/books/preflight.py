"""Whether `books.yaml` fits the shop and the organisation: every account and tax type is there and of the right kind.

Only the comparison of settings with each other belongs here; orders are not looked at. What kind of account a setting
needs stands in `account_roles.py`. `plan`, `sync`, the runs in Dagster and `doctor` all ask the same question here. A
problem that would book money wrongly, or that Xero would refuse, stops a run; what is unusual but possible is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from shopify_xero_pipeline.books import account_roles
from shopify_xero_pipeline.books.account_roles import CLEARING, CURRENT_ASSETS, LINE_ROLES, STORE_CREDIT, Fit, Role
from shopify_xero_pipeline.books.policy import AccountPolicy, BooksPolicy, TaxRule
from shopify_xero_pipeline.books.proposals import STORE_CREDIT_GATEWAY
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxRate

REVENUE_SETTINGS = ("sales", "shipping", "fees", "duties")
PAYING_SETTINGS = ("gift_cards", "channel_tax")
ACTIVE = "ACTIVE"


class Severity(StrEnum):
    """What a problem means: `fail` stops every run, `warn` is said."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True)
class Problem:
    """Something in the settings that does not fit.

    Attributes:
        severity: whether it stops a run.
        setting: the dotted name in `books.yaml`; '' for what lies in Xero or Shopify alone.
        says: what is wrong, with both sides.
        remedy: what to do.
    """

    severity: Severity
    setting: str
    message: str
    remedy: str

    @property
    def sentence(self) -> str:
        """Both as one sentence."""
        return f"{self.message}: {self.remedy}."


@dataclass(frozen=True)
class _Use:
    """An account that a setting names; `role` is the name it has in the table of roles."""

    setting: str
    code: str
    role: str


@dataclass(frozen=True)
class _Comparison:
    policy: BooksPolicy
    accounts: dict[str, Account]
    rates: dict[str, TaxRate]


def policy_problems(
    policy: BooksPolicy, organisation: Organisation, *, shop_currency: str = "", today: date | None = None
) -> list[Problem]:
    """Return what does not fit, each once, in the order of `books.yaml`.

    Args:
        policy: `books.yaml`.
        organisation: Xero's settings.
        shop_currency: of the shop; '' leaves currencies alone.
        today: the shop's present day; None leaves locked periods alone.
    """
    compared = _Comparison(
        policy,
        {account.code: account for account in organisation.accounts if account.code},
        {rate.tax_type: rate for rate in organisation.tax_rates if rate.status == ACTIVE},
    )
    found = [
        *_locked(policy, organisation, today),
        *_currencies(compared, organisation, shop_currency),
        *_line_accounts(compared),
        *_payment_accounts(compared),
        *_shared_accounts(compared),
        *_nothing_named(policy),
        *_tax_types(compared),
    ]
    return list(dict.fromkeys(found))


def blocking_problems(found: Sequence[Problem]) -> list[Problem]:
    """Return the problems that stop a run."""
    return [problem for problem in found if problem.severity is Severity.FAIL]


def _locked(policy: BooksPolicy, organisation: Organisation, today: date | None) -> Iterator[Problem]:
    locked_until = organisation.locked_until
    if today is None or locked_until is None or locked_until < today:
        return
    says = f"Xero is locked up to {locked_until}, and today is {today}"
    if policy.locked_period == "block":
        remedy = "move the lock date in Xero, as every order of today is blocked"
        yield Problem(Severity.FAIL, "locked_period", says, remedy)
    else:
        remedy = "move the lock date in Xero, or everything of today is dated in the future (locked_period)"
        yield Problem(Severity.WARN, "locked_period", says, remedy)


def _currencies(compared: _Comparison, organisation: Organisation, shop_currency: str) -> Iterator[Problem]:
    base = organisation.base_currency
    if not shop_currency:
        return
    if shop_currency != base and shop_currency not in organisation.currencies:
        says = (
            f"the shop trades in {shop_currency}, which {organisation.name} in Xero has not enabled (its base: {base})"
        )
        remedy = f"add {shop_currency} in Xero under Settings, Currencies, or connect the organisation that keeps it"
        yield Problem(Severity.FAIL, "", says, remedy)
        return
    if shop_currency != base:
        says = f"the shop trades in {shop_currency}, {organisation.name} in Xero keeps its books in {base}"
        remedy = "if that is meant, do nothing: Xero converts every document with its own rate of the day"
        yield Problem(Severity.WARN, "", says, remedy)
    for use in _paying(compared.policy):
        account = compared.accounts.get(use.code)
        if account is not None and account.currency not in (None, "", shop_currency):
            says = f"{use.setting} names account {_named(account)}, which is kept in {account.currency}"
            remedy = f"name an account in {shop_currency}, the shop's currency, as orders are in that"
            yield Problem(Severity.FAIL, use.setting, says, remedy)


def _standing_on_lines(policy: BooksPolicy) -> list[_Use]:
    """Return the accounts that stand on document lines."""
    chosen = policy.accounts
    overrides = [
        _Use(f"accounts.overrides[{index}]", entry.account, "overrides") for index, entry in enumerate(chosen.overrides)
    ]
    taxes = [_Use(f"tax.lines[{index}]", entry.account, "tax") for index, entry in enumerate(policy.tax.lines)]
    return [*_named_accounts(chosen), *overrides, *(taxes if policy.tax.mode == "lines" else [])]


def _named_accounts(chosen: AccountPolicy) -> list[_Use]:
    """Return the accounts by the names of their settings."""
    asked = [
        name for name in LINE_ROLES if name not in account_roles.OPTIONAL_LINE_ROLES or name in chosen.model_fields_set
    ]
    codes = {name: getattr(chosen, name, None) for name in asked}
    return [_Use(f"accounts.{name}", code, name) for name, code in codes.items() if isinstance(code, str)]


def _paying(policy: BooksPolicy) -> list[_Use]:
    """Return the accounts that payments are made to or from."""
    named = [_Use(f"accounts.{name}", getattr(policy.accounts, name), name) for name in PAYING_SETTINGS]
    gateways = {name: code for name, code in policy.payments.items() if not policy.is_left_to_others(name)}
    return [*named, *(_Use(f"payments.{gateway}", code, gateway) for gateway, code in gateways.items())]


def _line_accounts(compared: _Comparison) -> Iterator[Problem]:
    for use in _standing_on_lines(compared.policy):
        account = compared.accounts.get(use.code)
        if missing := _missing(use, account):
            yield missing
        elif account is not None:
            yield from _line_account(use, account)


def _line_account(use: _Use, account: Account) -> Iterator[Problem]:
    says = f"{use.setting} names account {_named(account)}"
    role = LINE_ROLES[use.role]
    if account.type == account_roles.BANK:
        on_no_line = f"{says}, a bank account, which Xero allows on no invoice line"
        yield Problem(Severity.FAIL, use.setting, on_no_line, f"name {role.needs}")
    elif account_roles.is_named_for_another_purpose(use.role, account):
        kept = (
            f"{says}, which Xero's chart keeps for something else; {role.purpose} booked on {role.needs} of their own"
        )
        yield Problem(Severity.FAIL, use.setting, kept, "create one in Xero and name it in books.yaml")
    elif not account_roles.is_named_for(use.role, account):
        yield from _class(use.setting, account, role)


def _class(setting: str, account: Account, role: Role) -> Iterator[Problem]:
    """Compare the account's class with what the setting is for."""
    kind = account_roles.kind_of(account)
    fit = role.check(kind)
    says = f"{setting} names account {_named(account)}, which is of the class {account.account_class} in Xero"
    if fit is Fit.WRONG:
        says = f"{says}; {role.purpose} booked on {role.needs}"
        yield Problem(Severity.FAIL, setting, says, "name one in books.yaml, or create it in Xero")
    elif fit is Fit.UNUSUAL:
        says = f"{says}, which {role.unusual[kind]}; {role.purpose} mostly booked on {role.needs}"
        yield Problem(Severity.WARN, setting, says, "if that is not meant, name another one in books.yaml")


def _payment_accounts(compared: _Comparison) -> Iterator[Problem]:
    for use in _paying(compared.policy):
        account = compared.accounts.get(use.code)
        if missing := _missing(use, account):
            yield missing
        elif account is not None:
            wrong = [] if use.role in PAYING_SETTINGS else list(_clearing_account(use, account))
            yield from wrong
            if not blocking_problems(wrong) and account.type != account_roles.BANK and not account.enable_payments:
                yield _takes_no_payments(use, account)


def _clearing_account(use: _Use, account: Account) -> Iterator[Problem]:
    is_credit = use.role.strip().casefold() == STORE_CREDIT_GATEWAY
    if account.account_class == account_roles.ASSET and account.type not in (account_roles.BANK, *CURRENT_ASSETS):
        says = f"{use.setting} names account {_named(account)}, which is of the type {account.type} in Xero"
        yield Problem(Severity.FAIL, use.setting, f"{says}; {CLEARING.purpose} booked on {CLEARING.needs}", "name one")
        return
    yield from _class(use.setting, account, STORE_CREDIT if is_credit else CLEARING)


def _takes_no_payments(use: _Use, account: Account) -> Problem:
    says = f"{use.setting} names account {_named(account)}, to which no payments can be made"
    other = "" if use.role in PAYING_SETTINGS else ", or name a bank account"
    remedy = f"tick 'Enable payments to this account' for it in Xero's chart of accounts{other}"
    return Problem(Severity.FAIL, use.setting, says, remedy)


def _missing(use: _Use, account: Account | None) -> Problem | None:
    if account is None:
        says = f"{use.setting} names account {use.code}, which Xero does not have"
        return Problem(Severity.FAIL, use.setting, says, "create it in Xero, or name another in books.yaml")
    if account.status != ACTIVE:
        says = f"{use.setting} names account {_named(account)}, which is {account.status.lower()} in Xero"
        return Problem(Severity.FAIL, use.setting, says, "restore it, or name another in books.yaml")
    return None


def _shared_accounts(compared: _Comparison) -> Iterator[Problem]:
    """The gift-card liability is proved card by card, which needs an account that holds nothing else."""
    code = compared.policy.accounts.gift_cards
    for use in _standing_on_lines(compared.policy):
        if use.role in ("tips", "channel_tax", "tax") and use.code == code:
            says = f"{use.setting} and accounts.gift_cards name the same account, {code}"
            remedy = "name one of its own for each, or the account never shows what holders of cards can still spend"
            yield Problem(Severity.WARN, use.setting, says, remedy)


def _nothing_named(policy: BooksPolicy) -> Iterator[Problem]:
    if not policy.payments:
        says = "payments names no gateway, so every order that was paid is blocked"
        yield Problem(Severity.WARN, "payments", says, "name the account of each gateway in books.yaml")
    if policy.tax.mode == "rates" and not policy.tax.rates:
        says = "tax.rates names no tax, so every order with tax is blocked"
        yield Problem(Severity.WARN, "tax.rates", says, "name Xero's tax type of each tax in books.yaml")
    if policy.tax.mode == "lines" and not policy.tax.lines:
        says = "tax.lines names no tax, so every order with tax is blocked"
        yield Problem(Severity.WARN, "tax.lines", says, "name the liability account of each tax in books.yaml")


def _tax_types(compared: _Comparison) -> Iterator[Problem]:
    uses, tax = _standing_on_lines(compared.policy), compared.policy.tax
    goods = [use for use in uses if use.role in (*REVENUE_SETTINGS, "overrides")]
    outside = [use for use in uses if use not in goods and use.role != "tax"]
    nothing = [Decimal(0)]
    if tax.mode == "lines":  # every line of every document bears it
        yield from _tax_type("tax.none", tax.none, nothing, uses, compared)
        return
    yield from _tax_type("tax.none", tax.none, nothing, outside, compared)
    yield from _tax_type("tax.untaxed", tax.untaxed, nothing, goods, compared, other_rate=Severity.WARN)
    for country, code in tax.untaxed_by_country.items():
        where = f"tax.untaxed_by_country.{country}"
        yield from _tax_type(where, code, nothing, goods, compared, other_rate=Severity.WARN)
    yield from _tax_type("tax.channel_liable", tax.channel_liable, nothing, goods, compared)
    for index, rule in enumerate(tax.rates):
        where, stated = f"tax.rates[{index}].tax_type", _stated(rule)
        yield from _tax_type(where, rule.tax_type, stated, goods, compared, other_rate=Severity.WARN)


def _stated(rule: TaxRule) -> list[Decimal] | None:
    """Return the rates an entry states, in per cent; None if a part states none."""
    rates = [part.rate * 100 for part in rule.parts if part.rate is not None]
    return rates if len(rates) == len(rule.parts) else None


def _tax_type(
    setting: str,
    code: str,
    stated: list[Decimal] | None,
    used_on: Sequence[_Use],
    compared: _Comparison,
    *,
    other_rate: Severity = Severity.FAIL,
) -> Iterator[Problem]:
    """Compare a tax type with its rate and with the accounts it stands on.

    Another rate never changes an amount, as those are Shopify's. What is outside tax is stopped all the same, because
    Xero's return would count it; `other_rate` says so for what may be meant.
    """
    rate = compared.rates.get(code)
    if rate is None:
        says = f"{setting} names the tax type {code}, which Xero does not have or no longer uses"
        yield Problem(Severity.FAIL, setting, says, f"name one of {', '.join(sorted(compared.rates))}")
        return
    if stated is not None and not rate.is_of(stated):
        yield _other_rate(other_rate, setting, rate, sum(stated, Decimal(0)))
    for use in used_on:
        account = compared.accounts.get(use.code)
        if account is not None and account.account_class not in rate.applies_to:
            where = f"{use.setting} {account.code} ({account.account_class.lower()})"
            says = f"{setting} names {code}, which Xero does not allow on {where}"
            yield Problem(Severity.FAIL, setting, says, "name another tax type, or another account")


def _other_rate(severity: Severity, setting: str, rate: TaxRate, stated: Decimal) -> Problem:
    parts = ", ".join(
        f"{part.name} {_number(part.rate)} %{' on top of the others' if part.is_compound else ''}"
        for part in rate.components
    )
    made_of = f" ({parts})" if len(rate.components) > 1 else ""
    says = (
        f"{setting} names {rate.tax_type}, which is {_number(rate.effective_rate)} % in Xero{made_of}, but books.yaml"
        f" means {_number(stated)} %"
    )
    doubt = "if that is not meant, " if severity is Severity.WARN else ""
    return Problem(severity, setting, says, f"{doubt}name the tax type of that rate")


def _named(account: Account) -> str:
    return str(account.code) if account.name in ("", account.code) else f"{account.code} {account.name}"


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"
