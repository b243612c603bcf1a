"""The organisation's settings, read from Xero in four calls.

This module caches nothing. The comparison with `books.yaml` is in `books/`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.elements import parse_day
from shopify_xero_pipeline.xero.errors import XeroUnavailableError
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxComponent, TaxRate

ACCOUNT_CLASSES = {
    "CanApplyToAssets": "ASSET",
    "CanApplyToEquity": "EQUITY",
    "CanApplyToExpenses": "EXPENSE",
    "CanApplyToLiabilities": "LIABILITY",
    "CanApplyToRevenue": "REVENUE",
}


def read_organisation(client: XeroClient) -> Organisation:
    """Return the organisation with its currencies, chart of accounts and tax rates, archived and deleted ones included.

    Raises:
        XeroError: Xero does not respond, or denies the connection.
    """
    head = _head(client)
    return Organisation(
        **head,
        currencies=frozenset(currency["Code"] for currency in client.get("/Currencies").get("Currencies") or [])
        | {head["base_currency"]},
        accounts=tuple(map(_parse_account, client.get("/Accounts").get("Accounts") or [])),
        tax_rates=tuple(map(_parse_tax_rate, client.get("/TaxRates").get("TaxRates") or [])),
    )


def read_organisation_again(client: XeroClient, known: Organisation) -> Organisation:
    """Return a known organisation with its name and lock dates read again, in one call.

    Args:
        client: the client.
        known: the organisation of an earlier `read_organisation`, with its currencies, accounts and tax rates.

    Raises:
        XeroError: Xero does not respond, or denies the connection.
    """
    return known.model_copy(update=_head(client))


def organisation_name(client: XeroClient) -> str:
    """Return the organisation's name from one call without retries.

    Raises:
        XeroError: Xero does not respond, or denies the connection.
    """
    return str(_first_organisation(client.get("/Organisation", attempts=1))["Name"])


def _head(client: XeroClient) -> dict[str, Any]:
    organisation = _first_organisation(client.get("/Organisation"))
    return {
        "name": organisation["Name"],
        "short_code": organisation.get("ShortCode"),
        "base_currency": organisation["BaseCurrency"],
        "period_lock_date": parse_day(organisation.get("PeriodLockDate")),
        "end_of_year_lock_date": parse_day(organisation.get("EndOfYearLockDate")),
    }


def _first_organisation(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    organisations: list[Mapping[str, Any]] = answer.get("Organisations") or []
    if not organisations:
        raise XeroUnavailableError("Xero returned no organisation for this connection. Connect the app to one.")
    return organisations[0]


def _parse_account(account: Mapping[str, Any]) -> Account:
    return Account(
        code=account.get("Code") or None,
        name=account["Name"],
        type=account["Type"],
        account_class=account.get("Class", ""),
        status=account.get("Status", "ACTIVE"),
        enable_payments=account.get("EnablePaymentsToAccount") is True,
        currency=account.get("CurrencyCode"),
        system_account=account.get("SystemAccount") or None,
    )


def _parse_tax_rate(tax_rate: Mapping[str, Any]) -> TaxRate:
    return TaxRate(
        tax_type=tax_rate["TaxType"],
        name=tax_rate["Name"],
        status=tax_rate.get("Status", "ACTIVE"),
        effective_rate=Decimal(tax_rate.get("EffectiveRate") or 0),
        applies_to=frozenset(name for field, name in ACCOUNT_CLASSES.items() if tax_rate.get(field) is True),
        components=tuple(map(_parse_component, tax_rate.get("TaxComponents") or [])),
    )


def _parse_component(component: Mapping[str, Any]) -> TaxComponent:
    return TaxComponent(
        name=str(component.get("Name") or ""),
        rate=Decimal(component.get("Rate") or 0),
        is_compound=component.get("IsCompound") is True,
    )
