"""What every rule of the sandbox's Xero works with: a call as it came, and the books, clock and options to judge it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions

_ZONES = {
    "NEWZEALANDSTANDARDTIME": "Pacific/Auckland",
    "AUSEASTERNSTANDARDTIME": "Australia/Sydney",
    "GMTSTANDARDTIME": "Europe/London",
    "EASTERNSTANDARDTIME": "America/New_York",
    "PACIFICSTANDARDTIME": "America/Los_Angeles",
}


@dataclass(frozen=True)
class Call:
    """A request that passed the gateway; the names of query parameters are in lower case.

    `refusal` is a text and a message: records that hold the text are refused with the message.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    refusal: tuple[str, str] | None = None

    @property
    def summarize_errors(self) -> bool:
        """Whether one bad record turns the answer into a 400: yes unless told otherwise (docs/contracts/xero.md §3)."""
        return self.query.get("summarizeerrors", "true").lower() != "false"


@dataclass(frozen=True)
class Desk:
    """The organisation's books, the time, and the options of the sandbox."""

    books: XeroBooks
    clock: Clock
    options: XeroOptions

    def now(self) -> datetime:
        """Return the instant that becomes UpdatedDateUTC."""
        return self.clock.now()

    def today(self) -> date:
        """Return the day in the organisation's zone; UTC for a zone that is not known here."""
        zone = _ZONES.get(str(self.books.organisation.get("Timezone", "")), "UTC")
        return self.clock.now().astimezone(ZoneInfo(zone)).date()

    def rounded(self, amount: Decimal, decimals: int = 2) -> Decimal:
        """Round as this Xero does."""
        return self.options.rounded(amount, decimals)

    @staticmethod
    def decimals(call: Call) -> int:
        """Return how many decimals of a unit price count in a call: 4 only if it says so (B15, B19)."""
        return 4 if call.query.get("unitdp") == "4" else 2

    def lock_complaints(self, day: date) -> list[str]:
        """Return what Xero says of a date on or before a lock date (B21, B25)."""
        return [
            f"The document date cannot be before the {words}, currently set at {locked:%d-%b-%Y}"
            for words, locked in self.books.lock_dates()
            if day <= locked
        ]
