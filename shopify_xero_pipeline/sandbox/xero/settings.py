"""The organisation's settings as Xero shows them: accounts, currencies, tax rates, organisation. Read only."""

from datetime import datetime
from typing import Any

from shopify_xero_pipeline.sandbox.xero.answers import Reply, json_reply, not_found
from shopify_xero_pipeline.sandbox.xero.api_context import Call, Desk
from shopify_xero_pipeline.sandbox.xero.batch import envelope
from shopify_xero_pipeline.sandbox.xero.reads import Listing, answer_list
from shopify_xero_pipeline.sandbox.xero.wire import Json, read_moment

_ACCOUNT_FIELDS = (
    "AccountID",
    "Code",
    "Name",
    "Type",
    "Status",
    "Class",
    "TaxType",
    "EnablePaymentsToAccount",
    "SystemAccount",
)
_RATE_FIELDS = ("Name", "TaxType", "Status", "EffectiveRate")


def answer_settings(desk: Desk, call: Call, kind: str, key: str | None) -> Reply:
    """Answer GET of one of the four, or of one account.

    Raises:
        Refused: 404 for an account that does not exist, or a key behind anything but Accounts.
    """
    kind = _KINDS[kind.lower()]
    if key is not None:
        account = desk.books.account(account_id=key) if kind == "Accounts" else None
        if account is None:
            raise not_found()
        return json_reply(envelope(desk) | {"Accounts": [account]})
    if kind == "Organisation":
        return json_reply(envelope(desk) | {"Organisations": [desk.books.organisation]})
    names, records, identity = {
        "Accounts": (_ACCOUNT_FIELDS, desk.books.accounts, "AccountID"),
        "TaxRates": (_RATE_FIELDS, desk.books.tax_rates, "TaxType"),
        "Currencies": (("Code", "Description"), desk.books.currencies, "Code"),
    }[kind]
    getters = {name: _getter(name) for name in names} | {"UpdatedDateUTC": _updated}
    listing = Listing(kind, getters, identity, _as_it_is, paged=False, lists=_LISTS.get(kind), sorted_by=None)
    return answer_list(desk, call, listing, records)


_KINDS = {kind.lower(): kind for kind in ("Accounts", "Currencies", "Organisation", "TaxRates")}
_LISTS = {"TaxRates": {"TaxType": "TaxType"}}


def _as_it_is(element: Json, _paged: bool) -> Json:
    return element


def _getter(name: str) -> Any:
    return lambda element: element.get(name)


def _updated(element: Json) -> datetime:
    return read_moment(element.get("UpdatedDateUTC"))
