"""The sandbox's default organisation, Demo Company (NZ) with the chart of accounts of the default `books.yaml`.

This module only contains facts in the form of Xero's responses (docs/contracts/xero.md §6.6,
docs/contracts/xero_messages.md §C). A recorded organisation replaces them entirely.
"""

import uuid
from decimal import Decimal
from typing import Any

TENANT_ID = "7f0d6c1e-52f5-4a0f-8f3c-2f6a3f1f4c10"
_UPDATED = "/Date(1789344000000+0000)/"  # 14 September 2026, 00:00 UTC

ORGANISATION: dict[str, Any] = {
    "Name": "Demo Company (NZ)",
    "LegalName": "Demo Company (NZ)",
    "PaysTax": True,
    "Version": "NZ",
    "OrganisationType": "COMPANY",
    "BaseCurrency": "NZD",
    "CountryCode": "NZ",
    "IsDemoCompany": True,
    "OrganisationStatus": "ACTIVE",
    "TaxNumber": "101-2-303",
    "FinancialYearEndDay": 31,
    "FinancialYearEndMonth": 3,
    "SalesTaxBasis": "PAYMENTS",
    "SalesTaxPeriod": "TWOMONTHS",
    "DefaultSalesTax": "Tax Exclusive",
    "DefaultPurchasesTax": "Tax Exclusive",
    "PeriodLockDate": "/Date(1254268800000+0000)/",
    "CreatedDateUTC": "/Date(1787011200000)/",
    "OrganisationEntityType": "COMPANY",
    "Timezone": "NEWZEALANDSTANDARDTIME",
    "ShortCode": "!sandbx",
    "OrganisationID": "0c6cf7bf-1b62-4c25-9f3c-7b6f0f1f5b52",
    "Edition": "BUSINESS",
    "Class": "DEMO",
    "Addresses": [],
    "Phones": [],
    "ExternalLinks": [],
    "PaymentTerms": {},
}

CURRENCIES: list[dict[str, Any]] = [
    {"Code": "NZD", "Description": "New Zealand Dollar"},
    {"Code": "USD", "Description": "United States Dollar"},
]

_CLASSES = {
    "REVENUE": ("REVENUE", "OUTPUT2", "REV", "Revenue"),
    "CURRLIAB": ("LIABILITY", "NONE", "LIA.CUR", "Current Liabilities"),
    "BANK": ("ASSET", "NONE", "ASS", "Assets"),
    "CURRENT": ("ASSET", "NONE", "ASS.CUR", "Current Assets"),
    "EXPENSE": ("EXPENSE", "INPUT2", "EXP", "Expense"),
}


def _account(code: str, name: str, kind: str, *, payments: bool = False, system: str = "") -> dict[str, Any]:
    account_class, tax_type, reporting_code, reporting_name = _CLASSES[kind]
    account: dict[str, Any] = {
        "AccountID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"sandbox-xero/accounts/{code}")),
        "Code": code,
        "Name": name,
        "Status": "ACTIVE",
        "Type": kind,
        "TaxType": "NONE" if system else tax_type,
        "Class": account_class,
        "EnablePaymentsToAccount": payments,
        "ShowInExpenseClaims": False,
        "ReportingCode": reporting_code,
        "ReportingCodeName": reporting_name,
        "HasAttachments": False,
        "UpdatedDateUTC": _UPDATED,
        "AddToWatchlist": False,
    }
    if system:
        account["SystemAccount"] = system
    if kind == "BANK":
        account |= {"BankAccountNumber": f"0123450000{code}00", "BankAccountType": "BANK", "CurrencyCode": "NZD"}
    return account


def accounts() -> list[dict[str, Any]]:
    """Return a new copy of the chart of accounts, which a caller may change."""
    return [
        _account("090", "Business Bank Account", "BANK"),
        _account("200", "Sales", "REVENUE"),
        _account("205", "Shipping Income", "REVENUE"),
        _account("206", "Fees Income", "REVENUE"),
        _account("207", "Duties Recovered", "REVENUE"),
        _account("208", "Refund Adjustments", "REVENUE"),
        _account("209", "Tips", "CURRLIAB"),
        _account("404", "Bank Fees", "EXPENSE"),
        _account("601", "Shopify Payments Clearing", "BANK"),
        _account("602", "PayPal Clearing", "BANK"),
        _account("603", "Cash Clearing", "BANK"),
        _account("604", "Manual Payments Clearing", "BANK"),
        _account("605", "Other Gateways Clearing", "BANK"),
        _account("610", "Accounts Receivable", "CURRENT", system="DEBTORS"),
        _account("800", "Accounts Payable", "CURRLIAB", system="CREDITORS"),
        _account("820", "GST", "CURRLIAB", system="GST"),
        _account("830", "Gift Card Liability", "CURRLIAB", payments=True),
        _account("835", "Marketplace Tax", "CURRLIAB", payments=True),
        _account("860", "Rounding", "EXPENSE", system="ROUNDING"),
        _account("861", "Exchange Differences", "EXPENSE"),
    ]


_CLASS_NAMES = ("Assets", "Equity", "Expenses", "Liabilities", "Revenue")


def _rate(tax_type: str, name: str, rate: str, applies_to: str, *, status: str = "ACTIVE") -> dict[str, Any]:
    per_cent = Decimal(rate)
    component = {"Name": "GST", "Rate": per_cent, "IsCompound": False, "IsNonRecoverable": False}
    reported = {"INPUT2": "INPUT", "OUTPUT2": "OUTPUT", "ZERORATED": "OUTPUT"}.get(tax_type, tax_type)
    return {
        "Name": name,
        "TaxType": tax_type,
        "ReportTaxType": reported,
        **{f"CanApplyTo{name_of_class}": name_of_class in applies_to.split() for name_of_class in _CLASS_NAMES},
        "DisplayTaxRate": per_cent,
        "EffectiveRate": per_cent,
        "Status": status,
        "TaxComponents": [component],
    }


def tax_rates() -> list[dict[str, Any]]:
    """Return a new copy of New Zealand's tax rates, which a caller may change."""
    every = " ".join(_CLASS_NAMES)
    return [
        _rate("INPUT", "12.5% GST on Expenses", "12.5", "Assets Equity Expenses Liabilities", status="DELETED"),
        _rate("OUTPUT", "12.5% GST on Income", "12.5", "Assets Equity Liabilities Revenue", status="DELETED"),
        _rate("INPUT2", "15% GST on Expenses", "15.0", "Assets Equity Expenses Liabilities"),
        _rate("OUTPUT2", "15% GST on Income", "15.0", "Assets Equity Liabilities Revenue"),
        _rate("GSTONIMPORTS", "GST on Imports", "0.0", "Liabilities"),
        _rate("NONE", "No GST", "0.0", every),
        _rate("ZERORATED", "Zero Rated", "0.0", "Liabilities Revenue"),
    ]
