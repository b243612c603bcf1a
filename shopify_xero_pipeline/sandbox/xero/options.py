"""The options of the sandbox's Xero for tests and demos; everything else follows docs/contracts/xero.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Literal

SCOPES = frozenset(
    {
        "offline_access",
        "accounting.contacts",
        "accounting.contacts.read",
        "accounting.invoices",
        "accounting.invoices.read",
        "accounting.payments",
        "accounting.payments.read",
        "accounting.settings",
        "accounting.settings.read",
        "accounting.attachments",
        "accounting.attachments.read",
    }
)


@dataclass
class XeroOptions:
    """Settings of a running sandbox; they may change while it runs.

    Attributes:
        client_id: the id of the only known app.
        client_secret: its secret; empty for an app that signs in with PKCE.
        scopes: the scopes that the app may request, without the broad scopes from before March 2026
            (docs/contracts/xero.md §1).
        minute_limit: calls in a fixed window of 60 s.
        day_limit: calls in a fixed window of a day: 1,000 on the Starter tier, 5,000 above.
        concurrent_limit: calls in flight at once.
        app_minute_limit: calls of the app in a minute over all its tenants.
        rounding: the rounding of half a cent; Xero's mode is unverified, so the pipeline must work with both.
        shuffle_responses: return the elements of batch writes in another order; Xero documents no order.
        shuffle_seed: the seed of that order.
        allocation_deletion: the response to a deleted Allocation. Xero's description shows the bare object
            (docs/contracts/xero.md §6.5); users report a collection, as for any other write
            (XeroAPI/xero-php-oauth2 #341, XeroAPI/xero-python #159). The pipeline must work with both.
        refuse_unknown_parameters: answer 400 to a query parameter that the endpoint does not have. Xero's behaviour is
            unverified; no report of a refusal exists. For tests that allow documented parameters only.
        answer_not_modified: answer 304 instead of an empty list if nothing was modified since.
        provider_name: the app's name in the envelope.
        currency_rates: CurrencyRate by currency for documents without one; 1 for a missing currency.
    """

    client_id: str = "sandbox"
    client_secret: str = "sandbox"  # noqa: S105  the sandbox's own, published
    scopes: frozenset[str] = SCOPES
    minute_limit: int = 60
    day_limit: int = 5_000
    concurrent_limit: int = 5
    app_minute_limit: int = 10_000
    rounding: Literal["half_up", "half_even"] = "half_up"
    shuffle_responses: bool = False
    shuffle_seed: int = 0
    allocation_deletion: Literal["collection", "object"] = "collection"
    refuse_unknown_parameters: bool = False
    answer_not_modified: bool = False
    provider_name: str = "sandbox"
    currency_rates: Mapping[str, Decimal] = field(default_factory=dict)

    def round_amount(self, amount: Decimal, decimals: int = 2) -> Decimal:
        """Round an amount in this Xero's mode, by default to 2 decimals."""
        mode = ROUND_HALF_UP if self.rounding == "half_up" else ROUND_HALF_EVEN
        return amount.quantize(Decimal(1).scaleb(-decimals), mode)
