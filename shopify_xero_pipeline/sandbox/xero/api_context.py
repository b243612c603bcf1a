"""The input of all rules of the sandbox's Xero: a call, and the books, clock and options that apply to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.clock import Clock
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions

# Xero's names of time zones that the sandbox knows.
_ZONES = {
    "NEWZEALANDSTANDARDTIME": "Pacific/Auckland",
    "AUSEASTERNSTANDARDTIME": "Australia/Sydney",
    "GMTSTANDARDTIME": "Europe/London",
    "EASTERNSTANDARDTIME": "America/New_York",
    "PACIFICSTANDARDTIME": "America/Los_Angeles",
}


@dataclass(frozen=True)
class Call:
    """A request that passed the gateway; names of query parameters are in lower case.

    `refusal` is a text and a message: a record that contains the text is refused with the message.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    refusal: tuple[str, str] | None = None

    @property
    def summarize_errors(self) -> bool:
        """Whether one invalid record turns the response into a 400; true by default (docs/contracts/xero.md §3)."""
        return self.query.get("summarizeerrors", "true").lower() != "false"


@dataclass(frozen=True)
class ApiContext:
    """The organisation's books, the time, and the options of the sandbox."""

    books: XeroBooks
    clock: Clock
    options: XeroOptions

    def now(self) -> datetime:
        """Return the current instant, the new UpdatedDateUTC."""
        return self.clock.now()

    def today(self) -> date:
        """Return the day in the organisation's time zone; in UTC for a zone missing from `_ZONES`."""
        zone = _ZONES.get(str(self.books.organisation.get("Timezone", "")), "UTC")
        return self.clock.now().astimezone(ZoneInfo(zone)).date()

    def round_amount(self, amount: Decimal, decimals: int = 2) -> Decimal:
        """Round an amount as this Xero does."""
        return self.options.round_amount(amount, decimals)

    @staticmethod
    def decimals(call: Call) -> int:
        """Return the number of decimals of a unit price in a call: 4 with `unitdp=4`, else 2 (B15, B19)."""
        return 4 if call.query.get("unitdp") == "4" else 2

    def lock_date_errors(self, day: date) -> list[str]:
        """Return Xero's messages for a date on or before a lock date (B21, B25)."""
        return [
            f"The document date cannot be before the {name}, currently set at {lock_date:%d-%b-%Y}"
            for name, lock_date in self.books.lock_dates()
            if day <= lock_date
        ]
