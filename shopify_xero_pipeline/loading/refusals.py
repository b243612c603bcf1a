"""Why Xero refused a record: its words, made safe to show, whether trying again may help, and what a person can do.

The table is the one place where Xero's messages are interpreted. They are matched loosely and kept as they are, because
Xero changes their wording without notice (docs/contracts/xero_messages.md §7).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.xero.models import AnyRecord, Contact

MAX_MESSAGE_LENGTH = 500
MIN_MASKED_LENGTH = 2
HIDDEN = "…"
E_MAIL = r"[^\s@<>\"'(]+@[^\s@<>\"')]+"
TELEPHONE = r"\+\d[\d ()/-]{6,}\d"


@dataclass(frozen=True)
class RefusalKind:
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
    is_transient: bool = False
    may_be_copy: bool = False


REFUSAL_KINDS = (
    RefusalKind(
        r"already assigned to another contact|contact name already exists|existing contact with that name",
        True,
        "Another Contact bears this name; the next plan adds the customer's id to it.",
    ),
    RefusalKind(
        r"must be unique|already exists|another contact has this contact number",
        True,
        "Something in Xero already bears this key; it is looked for before anything is sent again.",
        may_be_copy=True,
    ),
    RefusalKind(r"lock date", False, "Move the lock date in Xero, or set locked_period: next_open_day in books.yaml."),
    RefusalKind(r"archived", False, "Restore it in Xero, or name another one in books.yaml, then load the day again."),
    RefusalKind(r"subscribed to currency", False, "Add the currency in Xero's settings, then load the day again."),
    RefusalKind(
        r"amount outstanding|authorised documents|paid off|not of valid status|allocated to it|not be modified",
        False,
        "Someone paid, credited or voided the document in Xero; compare it with the order and correct it there.",
        may_be_copy=True,
    ),
    RefusalKind(
        r"tax ?type|tax rate|tax amount",
        False,
        "Correct the tax rate in books.yaml or in Xero, then load the day again.",
    ),
    RefusalKind(r"account", False, "Correct the account in books.yaml or in Xero, then load the day again."),
    RefusalKind(
        r"limit of invoices", True, "Xero's plan allows no more approved invoices for now; raise the plan or wait."
    ),
    RefusalKind(
        r"offline|unavailable|try again",
        True,
        "Xero was not available; it is tried again by itself.",
        is_transient=True,
    ),
)
UNKNOWN = RefusalKind(
    "", False, "Correct the record in Shopify or the settings it depends on, then load the day again."
)


def error_messages(found: Mapping[str, Any]) -> str:
    """Return the messages Xero gave with an element or an answer, joined."""
    messages = [str(error.get("Message")) for error in found.get("ValidationErrors") or [] if error.get("Message")]
    for inner in found.get("Elements") or []:
        messages += [error_messages(inner)]
    return "; ".join(dict.fromkeys(filter(None, messages))) or str(found.get("Message") or found.get("Detail") or "")


def refusal_kind(message: str) -> RefusalKind:
    """Return the first cause that a message matches."""
    return next((one for one in REFUSAL_KINDS if re.search(one.pattern, message, re.IGNORECASE)), UNKNOWN)


def is_transient(reason: str) -> bool:
    """Tell whether what a record was refused for may be over within seconds."""
    return refusal_kind(reason).is_transient


def is_name_clash(message: str) -> bool:
    """Tell whether a Contact was refused because another one bears its name."""
    return refusal_kind(message) is REFUSAL_KINDS[0]


def is_key_clash(message: str) -> bool:
    """Tell whether a record was refused because something already bears its key: then it exists, seen or not."""
    return refusal_kind(message) is REFUSAL_KINDS[1]


def may_be_copy(message: str) -> bool:
    """Tell whether an earlier copy of the same record would explain a refusal: then it is looked for by itself."""
    return refusal_kind(message).may_be_copy


def explain(message: str) -> str:
    """Return Xero's words and what a person can do about them."""
    return f"Xero refused it: {message or 'no reason given.'} {refusal_kind(message).advice}"


def mask(text: str, personal: Iterable[str]) -> str:
    """Return a text without personal ones, whole words of it, whatever their case; the longest go first."""
    telling = sorted({one.strip() for one in personal if len(one.strip()) >= MIN_MASKED_LENGTH}, key=len, reverse=True)
    patterns = [rf"(?<!\w){re.escape(one)}(?!\w)" for one in telling]
    return re.sub("|".join([E_MAIL, TELEPHONE, *patterns]), HIDDEN, text, flags=re.IGNORECASE)


def safe_message(message: str, record: AnyRecord) -> str:
    """Return Xero's words without the personal fields of the record, short enough to be shown."""
    if isinstance(record, Contact):
        names = (record.name, record.email, record.phone, record.first_name, record.last_name)
        message = mask(message, filter(None, names))
    message = message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
    return message if not message or message.endswith((".", "!", "…")) else f"{message}."
