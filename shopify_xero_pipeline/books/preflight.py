"""Whether Xero has what `books.yaml` names: every account and tax type, active and of the right kind.

Only the comparison of policy and organisation belongs here; the first step of a run that would write shows its
sentences. Each names the setting and what to do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shopify_xero_pipeline.books.policy import BooksPolicy, TaxRule
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxRate

REVENUE_SETTINGS = ("sales", "shipping", "fees", "duties")
UNTAXED_SETTINGS = ("tips", "gift_cards", "gift_card_discounts", "adjustments", "channel_tax", "rounding", "exchange")
IF_GIVEN = frozenset({"gift_card_discounts", "exchange"})  # few shops need them: compared where books.yaml names one
PAYING_SETTINGS = ("gift_cards", "channel_tax")
ACTIVE = "ACTIVE"
NOT_FOR_LINES = frozenset({"BANK"})


@dataclass(frozen=True)
class _Chart:
    """The organisation's accounts and tax rates, by code."""

    accounts: dict[str, Account]
    rates: dict[str, TaxRate]


def problems(policy: BooksPolicy, organisation: Organisation) -> list[str]:
    """Return a sentence for each thing `books.yaml` names that Xero does not have or that cannot be used so."""
    chart = _Chart(
        {account.code: account for account in organisation.accounts if account.code},
        {rate.tax_type: rate for rate in organisation.tax_rates if rate.status == ACTIVE},
    )
    found = [
        *_line_accounts(policy, chart),
        *_payment_accounts(policy, chart),
        *_tax_types(policy, chart),
    ]
    return list(dict.fromkeys(found))


def _line_settings(policy: BooksPolicy) -> list[tuple[str, str]]:
    """Settings whose accounts stand on document lines, with their codes."""
    named = [(f"accounts.{name}", getattr(policy.accounts, name)) for name in (*REVENUE_SETTINGS, *_untaxed(policy))]
    overrides = [
        (f"accounts.overrides[{index}]", entry.account) for index, entry in enumerate(policy.accounts.overrides)
    ]
    taxes = [(f"tax.lines[{index}]", entry.account) for index, entry in enumerate(policy.tax.lines)]
    return [*named, *overrides, *(taxes if policy.tax.mode == "lines" else [])]


def _untaxed(policy: BooksPolicy) -> list[str]:
    """Settings of accounts for lines outside tax, without those that `books.yaml` leaves out."""
    given = {name for name in policy.accounts.model_fields_set if getattr(policy.accounts, name) is not None}
    return [name for name in UNTAXED_SETTINGS if name not in IF_GIVEN - given]


def _line_accounts(policy: BooksPolicy, chart: _Chart) -> Iterator[str]:
    for setting, code in _line_settings(policy):
        missing = _missing_account(setting, code, chart)
        if missing:
            yield missing
        elif chart.accounts[code].type in NOT_FOR_LINES:
            yield (
                f"{setting} names account {code}, a bank account, which Xero allows on no invoice line: name an"
                " account of the chart."
            )


def _payment_accounts(policy: BooksPolicy, chart: _Chart) -> Iterator[str]:
    named = [(f"accounts.{name}", getattr(policy.accounts, name)) for name in PAYING_SETTINGS]
    gateways = {name: code for name, code in policy.payments.items() if not policy.is_left_to_others(name)}
    for setting, code in [*named, *((f"payments.{gateway}", code) for gateway, code in gateways.items())]:
        missing = _missing_account(setting, code, chart)
        if missing:
            yield missing
        elif chart.accounts[code].type != "BANK" and not chart.accounts[code].enable_payments:
            yield (
                f"{setting} names account {code}, to which no payments can be made: tick 'Enable payments to this"
                " account' for it"
                " in Xero's chart of accounts, or name a bank account."
            )


def _missing_account(setting: str, code: str, chart: _Chart) -> str:
    account = chart.accounts.get(code)
    if account is None:
        return (
            f"{setting} names account {code}, which Xero does not have: create it in Xero, or name another in"
            " books.yaml."
        )
    if account.status != ACTIVE:
        return (
            f"{setting} names account {code}, which is {account.status.lower()} in Xero: restore it, or name"
            " another in books.yaml."
        )
    return ""


def _tax_types(policy: BooksPolicy, chart: _Chart) -> Iterator[str]:
    tax = policy.tax
    untaxed = [f"accounts.{name}" for name in _untaxed(policy)]
    goods = [f"accounts.{name}" for name in REVENUE_SETTINGS]
    goods += [f"accounts.overrides[{index}]" for index in range(len(policy.accounts.overrides))]
    if tax.mode == "lines":  # every line of every document bears it
        taxes = [f"tax.lines[{index}]" for index in range(len(tax.lines))]
        yield from _tax_type("tax.none", tax.none, Decimal(0), [*goods, *untaxed, *taxes], policy, chart)
        return
    yield from _tax_type("tax.none", tax.none, Decimal(0), untaxed, policy, chart)
    yield from _tax_type("tax.untaxed", tax.untaxed, Decimal(0), goods, policy, chart)
    for country, code in tax.untaxed_by_country.items():
        yield from _tax_type(f"tax.untaxed_by_country.{country}", code, Decimal(0), goods, policy, chart)
    yield from _tax_type("tax.channel_liable", tax.channel_liable, Decimal(0), goods, policy, chart)
    for index, rule in enumerate(tax.rates):
        yield from _tax_type(f"tax.rates[{index}].tax_type", rule.tax_type, _stated_rate(rule), goods, policy, chart)


def _stated_rate(rule: TaxRule) -> Decimal | None:
    """Return the rate an entry states, summed over a combination; None if a part states none."""
    rates = [part.rate for part in rule.parts]
    known = [rate for rate in rates if rate is not None]
    return sum(known, Decimal(0)) if len(known) == len(rates) else None


def _tax_type(
    setting: str, code: str, stated: Decimal | None, used_on: Sequence[str], policy: BooksPolicy, chart: _Chart
) -> Iterator[str]:
    rate = chart.rates.get(code)
    if rate is None:
        yield (
            f"{setting} names the tax type {code}, which Xero does not have or no longer uses: name one of"
            f" {_known(chart)}."
        )
        return
    if stated is not None and rate.effective_rate != stated * 100:
        yield (
            f"{setting} names {code}, which is {_number(rate.effective_rate)} % in Xero, but books.yaml means"
            f" {_number(stated * 100)} %: name the tax type of that rate."
        )
    codes = dict(_line_settings(policy))
    for user in used_on:
        account = chart.accounts.get(codes[user])
        if account is not None and account.account_class not in rate.applies_to:
            yield (
                f"{setting} names {code}, which Xero does not allow on {user} {account.code}"
                f" ({account.account_class.lower()}):"
                " name another tax type, or another account."
            )


def _known(chart: _Chart) -> str:
    return ", ".join(sorted(chart.rates))


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"
