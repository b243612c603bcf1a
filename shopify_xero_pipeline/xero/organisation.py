"""The organisation's settings that decide what may be posted, read from Xero in four calls.

Whether they fit `books.yaml` is decided in `books/`; nothing is cached here.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.errors import XeroUnavailableError
from shopify_xero_pipeline.xero.models import Account, Organisation, TaxComponent, TaxRate
from shopify_xero_pipeline.xero.serialization import parse_instant

CLASSES = {
    "CanApplyToAssets": "ASSET",
    "CanApplyToEquity": "EQUITY",
    "CanApplyToExpenses": "EXPENSE",
    "CanApplyToLiabilities": "LIABILITY",
    "CanApplyToRevenue": "REVENUE",
}


def read_organisation(client: XeroClient) -> Organisation:
    """Return the organisation with its currencies, chart of accounts and tax rates, archived and deleted ones included.

    Raises:
        XeroError: Xero does not answer, or not to this connection.
    """
    found = _named(client.get("/Organisation"))
    return Organisation(
        name=found["Name"],
        short_code=found.get("ShortCode"),
        base_currency=found["BaseCurrency"],
        currencies=frozenset(one["Code"] for one in client.get("/Currencies").get("Currencies") or [])
        | {found["BaseCurrency"]},
        period_lock_date=_day(found.get("PeriodLockDate")),
        end_of_year_lock_date=_day(found.get("EndOfYearLockDate")),
        accounts=tuple(map(_account, client.get("/Accounts").get("Accounts") or [])),
        tax_rates=tuple(map(_tax_rate, client.get("/TaxRates").get("TaxRates") or [])),
    )


def organisation_name(client: XeroClient) -> str:
    """Return the organisation's name, asked for in a single call that is not repeated.

    Raises:
        XeroError: Xero does not answer, or not to this connection.
    """
    return str(_named(client.get("/Organisation", attempts=1))["Name"])


def _named(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    organisations: list[Mapping[str, Any]] = answer.get("Organisations") or []
    if not organisations:
        raise XeroUnavailableError("Xero named no organisation for this connection. Connect the app to one.")
    return organisations[0]


def _day(text: object) -> date | None:
    """Read a date, which Xero gives as midnight UTC of the calendar day (docs/contracts/xero.md §8)."""
    moment = parse_instant(text)
    return moment.date() if moment else None


def _account(found: Mapping[str, Any]) -> Account:
    return Account(
        code=found.get("Code") or None,
        name=found["Name"],
        type=found["Type"],
        account_class=found.get("Class", ""),
        status=found.get("Status", "ACTIVE"),
        enable_payments=found.get("EnablePaymentsToAccount") is True,
        currency=found.get("CurrencyCode"),
        system_account=found.get("SystemAccount") or None,
    )


def _tax_rate(found: Mapping[str, Any]) -> TaxRate:
    return TaxRate(
        tax_type=found["TaxType"],
        name=found["Name"],
        status=found.get("Status", "ACTIVE"),
        effective_rate=Decimal(found.get("EffectiveRate") or 0),
        applies_to=frozenset(name for field, name in CLASSES.items() if found.get(field) is True),
        components=tuple(map(_component, found.get("TaxComponents") or [])),
    )


def _component(found: Mapping[str, Any]) -> TaxComponent:
    return TaxComponent(
        name=str(found.get("Name") or ""),
        rate=Decimal(found.get("Rate") or 0),
        is_compound=found.get("IsCompound") is True,
    )
