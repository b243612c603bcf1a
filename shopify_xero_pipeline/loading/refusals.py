"""The classification of Xero's refusals, with masked messages, retryability and advice for people.

Only the table of this module interprets Xero's messages. It matches them loosely and stores them verbatim, because Xero
changes their wording without notice (docs/contracts/xero_messages.md §7).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shopify_xero_pipeline.xero.models import AnyRecord, Contact

MAX_MESSAGE_LENGTH = 500  # characters
MIN_MASKED_LENGTH = 2  # characters; shorter values would mask single letters
HIDDEN = "…"
E_MAIL = r"[^\s@<>\"'(]+@[^\s@<>\"')]+"
TELEPHONE = r"\+\d[\d ()/-]{6,}\d"


@dataclass(frozen=True)
class RefusalKind:
    """A kind of refusal.

    Attributes:
        pattern: regular expression for Xero's message, case-insensitive.
        retryable: a later load may succeed without a change of settings.
        advice: what a person can do, as a whole sentence.
        is_transient: a retry within seconds may succeed.
        may_be_copy: an earlier copy of the record, ours or a person's, would explain the refusal.
    """

    pattern: str
    retryable: bool
    advice: str
    is_transient: bool = False
    may_be_copy: bool = False


# The first pattern that matches decides. `explain` appends the advice to the message, and the loader classifies that
# text again, so no advice may match the pattern of another kind.
REFUSAL_KINDS = (
    RefusalKind(
        r"already assigned to another contact|contact name already exists|existing contact with that name",
        True,
        "Another Contact has this name; the next plan adds the customer's id to the name.",
    ),
    RefusalKind(
        r"must be unique|already exists|another contact has this contact number",
        True,
        "Another record in Xero already has this key; it is looked up before any retry.",
        may_be_copy=True,
    ),
    RefusalKind(r"lock date", False, "Move the lock date in Xero, or set locked_period: next_open_day in books.yaml."),
    RefusalKind(r"archived", False, "Restore it in Xero, or set another one in books.yaml, then load the day again."),
    RefusalKind(r"subscribed to currency", False, "Add the currency in Xero's settings, then load the day again."),
    RefusalKind(
        r"amount outstanding|authorised documents|paid off|not of valid status|allocated to it|not be modified",
        False,
        "A person paid, credited or voided the document in Xero; compare it with the order and correct it there.",
        may_be_copy=True,
    ),
    RefusalKind(
        r"tax ?type|tax rate|tax amount",
        False,
        "Correct the tax rate in books.yaml or in Xero, then load the day again.",
    ),
    RefusalKind(r"account", False, "Correct the account in books.yaml or in Xero, then load the day again."),
    RefusalKind(
        r"limit of invoices", True, "Xero's plan allows no more approved invoices now; upgrade the plan or wait."
    ),
    RefusalKind(
        r"offline|unavailable|try again",
        True,
        "Xero was unavailable; the record is retried automatically.",
        is_transient=True,
    ),
)
UNKNOWN = RefusalKind(
    "", False, "Correct the record in Shopify or the settings it depends on, then load the day again."
)


def error_messages(content: Mapping[str, Any]) -> str:
    """Return the messages of an element or a whole response, joined by semicolons; empty if there is none.

    Args:
        content: the JSON object, with `ValidationErrors`, `Elements`, `Message` or `Detail`.
    """
    messages = [str(error.get("Message")) for error in content.get("ValidationErrors") or [] if error.get("Message")]
    for element in content.get("Elements") or []:
        messages += [error_messages(element)]
    return "; ".join(dict.fromkeys(filter(None, messages))) or str(
        content.get("Message") or content.get("Detail") or ""
    )


def refusal_kind(message: str) -> RefusalKind:
    """Return the first kind that matches a message, or `UNKNOWN`."""
    return next((kind for kind in REFUSAL_KINDS if re.search(kind.pattern, message, re.IGNORECASE)), UNKNOWN)


def is_transient(reason: str) -> bool:
    """Return whether a retry within seconds may succeed."""
    return refusal_kind(reason).is_transient


def is_name_clash(message: str) -> bool:
    """Return whether the name of a Contact is taken."""
    return refusal_kind(message) is REFUSAL_KINDS[0]


def is_key_clash(message: str) -> bool:
    """Return whether the natural key is taken; then a record with it exists, even if no list shows it yet."""
    return refusal_kind(message) is REFUSAL_KINDS[1]


def may_be_copy(message: str) -> bool:
    """Return whether an earlier copy of the record would explain a refusal; the read-back then reads it by id.

    Each reason counts: of a copy of a Contact, Xero names the name before the number.
    """
    kinds = (kind for kind in REFUSAL_KINDS if re.search(kind.pattern, message, re.IGNORECASE))
    return any(kind.may_be_copy for kind in kinds)


def explain(message: str) -> str:
    """Return Xero's message with the advice for people."""
    return f"Xero refused it: {message or 'no reason given.'} {refusal_kind(message).advice}"


def mask(text: str, personal: Iterable[str]) -> str:
    """Return a text with masked personal data, e-mail addresses and telephone numbers.

    Args:
        text: a message of Xero.
        personal: values to mask as whole words, in any case.
    """
    values = {value.strip() for value in personal if len(value.strip()) >= MIN_MASKED_LENGTH}
    # The longest values come first, so that a short one does not mask only a part of a longer one.
    patterns = [rf"(?<!\w){re.escape(value)}(?!\w)" for value in sorted(values, key=len, reverse=True)]
    return re.sub("|".join([E_MAIL, TELEPHONE, *patterns]), HIDDEN, text, flags=re.IGNORECASE)


def safe_message(message: str, record: AnyRecord) -> str:
    """Return Xero's message as a sentence of at most `MAX_MESSAGE_LENGTH` characters, with masked personal data."""
    if isinstance(record, Contact):
        names = (record.name, record.email, record.phone, record.first_name, record.last_name)
        message = mask(message, filter(None, names))
    message = message if len(message) <= MAX_MESSAGE_LENGTH else message[: MAX_MESSAGE_LENGTH - 1] + "…"
    return message if not message or message.endswith((".", "!", "…")) else f"{message}."
