"""The organisation's settings in the form of responses: accounts, currencies, tax rates, organisation. Read only."""

from datetime import datetime
from typing import Any

from shopify_xero_pipeline.sandbox.xero.answers import Reply, json_reply, not_found
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext, Call
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


def answer_settings(context: ApiContext, call: Call, kind: str, key: str | None) -> Reply:
    """Answer a GET of one of the four settings, or of one account.

    Args:
        context: the books, clock and options.
        call: the call.
        kind: the resource in the path.
        key: the AccountID in the path, or None.

    Raises:
        Refused: 404 for an account that does not exist, or for a key with another resource.
    """
    kind = _KINDS[kind.lower()]
    if key is not None:
        account = context.books.account(account_id=key) if kind == "Accounts" else None
        if account is None:
            raise not_found()
        return json_reply(envelope(context) | {"Accounts": [account]})
    if kind == "Organisation":
        return json_reply(envelope(context) | {"Organisations": [context.books.organisation]})
    names, records, identity = {
        "Accounts": (_ACCOUNT_FIELDS, context.books.accounts, "AccountID"),
        "TaxRates": (_RATE_FIELDS, context.books.tax_rates, "TaxType"),
        "Currencies": (("Code", "Description"), context.books.currencies, "Code"),
    }[kind]
    getters = {name: _getter(name) for name in names} | {"UpdatedDateUTC": _updated}
    listing = Listing(kind, getters, identity, _unchanged, paged=False, lists=_LISTS.get(kind), sorted_by=None)
    return answer_list(context, call, listing, records)


_KINDS = {kind.lower(): kind for kind in ("Accounts", "Currencies", "Organisation", "TaxRates")}
_LISTS = {"TaxRates": {"TaxType": "TaxType"}}


def _unchanged(element: Json, _paged: bool) -> Json:
    return element


def _getter(name: str) -> Any:
    return lambda element: element.get(name)


def _updated(element: Json) -> datetime:
    return read_moment(element.get("UpdatedDateUTC"))
