"""What a test or a demo may choose about the sandbox's Xero; everything else follows docs/contracts/xero.md."""

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
    """Settings of a running sandbox; they may be changed while it runs.

    Attributes:
        client_id: of the only app that is known.
        client_secret: of the same; empty for an app that signs in with PKCE.
        scopes: what the app may ask for; the broad scopes of before March 2026 are not among them
            (docs/contracts/xero.md §1).
        minute_limit: calls in a fixed window of 60 s.
        day_limit: calls in a fixed window of a day: 1,000 on the Starter tier, 5,000 above.
        concurrent_limit: calls in flight at once.
        app_minute_limit: calls of the app in a minute over all its tenants.
        rounding: what happens to half a cent; which one Xero uses is unverified, so both must do.
        shuffle_responses: answer batch writes in another order than asked; no order is documented.
        shuffle_seed: of that order.
        allocation_deletion: how a deleted Allocation is answered. Xero's description shows the bare object
            (docs/contracts/xero.md §6.5); people who call it report a collection, as of any other write
            (XeroAPI/xero-php-oauth2 #341, XeroAPI/xero-python #159). Both must do.
        refuse_unknown_parameters: answer 400 to a query parameter that the endpoint does not have. What Xero does is
            unverified; it is not reported to refuse any. For tests that ask for nothing that is not documented.
        answer_not_modified: answer 304 instead of an empty list when nothing was modified since.
        provider_name: what the envelope calls the app.
        currency_rates: CurrencyRate by currency where a document names none; 1 if it is not here either.
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

    def rounded(self, amount: Decimal, decimals: int = 2) -> Decimal:
        """Round as this Xero does, to 2 decimals unless told."""
        mode = ROUND_HALF_UP if self.rounding == "half_up" else ROUND_HALF_EVEN
        return amount.quantize(Decimal(1).scaleb(-decimals), mode)
