"""Why Xero refused a record: its words, made safe to show, whether trying again may help, and what a person can do.

The table is the one place where Xero's messages are interpreted. They are matched loosely and kept as they are, because
Xero changes their wording without notice (docs/contracts/xero_messages.md §7).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.xero.models import AnyRecord, Contact

LONGEST = 500
SHORTEST = 2
HIDDEN = "…"
E_MAIL = r"[^\s@<>\"'(]+@[^\s@<>\"')]+"
TELEPHONE = r"\+\d[\d ()/-]{6,}\d"


@dataclass(frozen=True)
class Cause:
    """A kind of refusal.

    Attributes:
        pattern: what Xero's words hold.
        retryable: it may go away by itself or with the next plan.
        advice: what a person can do.
        passing: it may go away within seconds.
        copied: an earlier copy of the same record, ours or a person's, would explain it.
    """

    pattern: str
    retryable: bool
    advice: str
    passing: bool = False
    copied: bool = False


CAUSES = (
    Cause(
        r"already assigned to another contact|contact name already exists|existing contact with that name",
        True,
        "Another Contact bears this name; the next plan adds the customer's id to it.",
    ),
    Cause(
        r"must be unique|already exists|another contact has this contact number",
        True,
        "Something in Xero already bears this key; it is looked for before anything is sent again.",
        copied=True,
    ),
    Cause(r"lock date", False, "Move the lock date in Xero, or set locked_period: next_open_day in books.yaml."),
    Cause(r"archived", False, "Restore it in Xero, or name another one in books.yaml, then load the day again."),
    Cause(r"subscribed to currency", False, "Add the currency in Xero's settings, then load the day again."),
    Cause(
        r"amount outstanding|authorised documents|paid off|not of valid status|allocated to it|not be modified",
        False,
        "Someone paid, credited or voided the document in Xero; compare it with the order and correct it there.",
        copied=True,
    ),
    Cause(
        r"tax ?type|tax rate|tax amount",
        False,
        "Correct the tax rate in books.yaml or in Xero, then load the day again.",
    ),
    Cause(r"account", False, "Correct the account in books.yaml or in Xero, then load the day again."),
    Cause(r"limit of invoices", True, "Xero's plan allows no more approved invoices for now; raise the plan or wait."),
    Cause(
        r"offline|unavailable|try again",
        True,
        "Xero was not available; it is tried again by itself.",
        passing=True,
    ),
)
UNKNOWN = Cause("", False, "Correct the record in Shopify or the settings it depends on, then load the day again.")


def words(found: Mapping[str, Any]) -> str:
    """Return the messages Xero gave with an element or an answer, joined."""
    messages = [str(error.get("Message")) for error in found.get("ValidationErrors") or [] if error.get("Message")]
    for inner in found.get("Elements") or []:
        messages += [words(inner)]
    return "; ".join(dict.fromkeys(filter(None, messages))) or str(found.get("Message") or found.get("Detail") or "")


def cause(message: str) -> Cause:
    """Return the first cause that a message matches."""
    return next((one for one in CAUSES if re.search(one.pattern, message, re.IGNORECASE)), UNKNOWN)


def passes(reason: str) -> bool:
    """Tell whether what a record was refused for may be over within seconds."""
    return cause(reason).passing


def is_name_clash(message: str) -> bool:
    """Tell whether a Contact was refused because another one bears its name."""
    return cause(message) is CAUSES[0]


def is_key_clash(message: str) -> bool:
    """Tell whether a record was refused because something already bears its key: then it exists, seen or not."""
    return cause(message) is CAUSES[1]


def may_be_copy(message: str) -> bool:
    """Tell whether an earlier copy of the same record would explain a refusal: then it is looked for by itself."""
    return cause(message).copied


def explained(message: str) -> str:
    """Return Xero's words and what a person can do about them."""
    return f"Xero refused it: {message or 'no reason given.'} {cause(message).advice}"


def cleared(text: str, personal: Iterable[str]) -> str:
    """Return a text without personal ones, whole words of it, whatever their case; the longest go first."""
    telling = sorted({one.strip() for one in personal if len(one.strip()) >= SHORTEST}, key=len, reverse=True)
    patterns = [rf"(?<!\w){re.escape(one)}(?!\w)" for one in telling]
    return re.sub("|".join([E_MAIL, TELEPHONE, *patterns]), HIDDEN, text, flags=re.IGNORECASE)


def safe(message: str, record: AnyRecord) -> str:
    """Return Xero's words without the personal fields of the record, short enough to be shown."""
    if isinstance(record, Contact):
        names = (record.name, record.email, record.phone, record.first_name, record.last_name)
        message = cleared(message, filter(None, names))
    message = message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
    return message if not message or message.endswith((".", "!", "…")) else f"{message}."
