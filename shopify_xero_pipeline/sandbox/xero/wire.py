"""Xero's wire format: its two kinds of dates, exact JSON numbers (B9), and parsing of requests (B10).

This module only contains formats; the fields of a record are in that record's module.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import msgspec

Json: TypeAlias = dict[str, Any]

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_MS_DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")


def encode(answer: object) -> bytes:
    """Return JSON with every `Decimal` as an exact number."""
    return _ENCODER.encode(answer)


def decode(body: bytes) -> Any:
    """Parse JSON with exact numbers.

    Raises:
        ValueError: the body is not JSON.
    """
    return json.loads(body, parse_float=Decimal, parse_int=Decimal)


def ms_date(moment: datetime | date, offset: str = "+0000") -> str:
    """Return `/Date(ms+0000)/`; a calendar day is its midnight in UTC. Envelope and Items have no offset."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return f"/Date({int(moment.timestamp()) * 1000 + moment.microsecond // 1000}{offset})/"


def day_fields(name: str, day: date | None) -> Json:
    """Return a date and its `...String` form, or nothing."""
    return {f"{name}String": f"{day.isoformat()}T00:00:00", name: ms_date(day)} if day else {}


def updated_string(moment: datetime) -> str:
    """Return the `...String` form of UpdatedDateUTC in documents and payments."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_day(text: object) -> date | None:
    """Parse `2026-09-21`, also with a time after it, or `/Date(ms)/`; None for any other text."""
    match = _MS_DATE.fullmatch(str(text))
    if match:
        return datetime.fromtimestamp(int(match[1]) / 1000, tz=UTC).date()
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def read_moment(text: object) -> datetime:
    """Parse the instant in `/Date(ms)/`; 1 January 1970 for any other text."""
    match = _MS_DATE.fullmatch(str(text))
    return datetime.fromtimestamp(int(match[1]) / 1000 if match else 0, tz=UTC)


def read_number(sent: object) -> Decimal | None:
    """Parse a number or a text with a number; None for anything else."""
    if isinstance(sent, bool) or sent is None:
        return None
    try:
        number = Decimal(str(sent))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def text_of(sent: Mapping[str, Any], name: str) -> str | None:
    """Return a field as text, or None if it was not sent."""
    return None if sent.get(name) is None else str(sent[name])


def flag_of(sent: Mapping[str, Any], name: str, default: bool) -> bool:
    """Return a Boolean field, or the default if it was not sent.

    Args:
        sent: the sent fields.
        name: the name of the field.
        default: the value of a missing field.
    """
    return default if sent.get(name) is None else bool(sent[name])


def present(fields: Json) -> Json:
    """Return the fields without empty ones, since Xero omits the key of a text that was never set."""
    return {name: value for name, value in fields.items() if value not in (None, "")}
