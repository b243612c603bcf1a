"""The comparison of one search term with a record's values: times, ids, numbers, words, flags.

Times follow Shopify's rules: an unquoted time loses everything after its first colon and becomes a date in the shop's
time zone, and `>` and `<` include their bound (docs/contracts/shopify.md §3.6). The parser of whole queries is in
`search.py`.
"""

import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum, auto
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.connections import digits


class Kind(Enum):
    """The kind of comparison of a field's values."""

    TIME = auto()
    DAY = auto()
    """A time that matches whole days, such as `updated_at` of customers."""
    ID = auto()
    NUMBER = auto()
    WORD = auto()
    """The whole value, case-insensitive; a term may list several values, separated by commas."""
    TEXT = auto()
    """Any of the value's words; for a quoted term all of them in sequence."""
    FLAG = auto()
    NONE_OF = auto()
    """None of the comma-separated values."""


class UnreadableTermError(Exception):
    """A term whose value does not fit its field."""


@dataclass(frozen=True)
class Comparison:
    """The right-hand side of a term, such as `>='2026-11-01T00:00:00Z'`."""

    comparator: str
    text: str
    quoted: bool
    zone: ZoneInfo
    now: datetime


Values = Callable[[Node], Iterable[Any]]
Test = Callable[[Node], bool]


def compare(kind: Kind, values: Values, term: Comparison) -> Test:
    """Return the test for one term.

    Args:
        kind: the kind of comparison.
        values: the function from a record to its values of the field.
        term: the right-hand side of the term.

    Raises:
        UnreadableTermError: the term's value does not fit the field.
    """
    if term.text == "*" and not term.comparator:
        return lambda node: any(value not in (None, "") for value in values(node))
    return _COMPARERS[kind](values, term)


def _time(values: Values, term: Comparison) -> Test:
    text = term.text if term.quoted else term.text.split(":", 1)[0]
    if text == "now":
        return _compare_instants(values, term.comparator, term.now)
    if ".." in text:
        return _compare_range(values, text, term.zone)
    if term.quoted and "T" in text:
        return _compare_instants(values, term.comparator, _parse_instant(text))
    return _compare_dates(values, term.comparator, text.split("T")[0], term.zone)


def _day(values: Values, term: Comparison) -> Test:
    text = term.text if term.quoted else term.text.split(":", 1)[0]
    if "T" in text and term.quoted:
        text = _parse_instant(text).astimezone(term.zone).date().isoformat()
    if text == "now":
        text = term.now.astimezone(term.zone).date().isoformat()
    return _compare_dates(values, term.comparator, text.split("T")[0], term.zone)


def _parse_instant(text: str) -> datetime:
    try:
        parsed = instant(text)
    except ValueError as error:
        raise UnreadableTermError from error
    if parsed.tzinfo is None:
        raise UnreadableTermError
    return parsed


@lru_cache(maxsize=200_000)  # each search compares the timestamps of all records again
def instant(text: str) -> datetime:
    """Return a timestamp at the index's resolution of one second.

    Raises:
        ValueError: the text is not a timestamp.
    """
    return datetime.fromisoformat(text).replace(microsecond=0)


_INCLUSIVE: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    ">": operator.ge,
    ">=": operator.ge,
    "<": operator.le,
    "<=": operator.le,
}
_EXACT = {**_INCLUSIVE, ">": operator.gt, "<": operator.lt}


def _compare_instants(values: Values, comparator: str, bound: datetime) -> Test:
    holds = _INCLUSIVE[comparator]
    return lambda node: any(holds(instant(value), bound) for value in values(node) if value)


def _compare_dates(values: Values, comparator: str, text: str, zone: ZoneInfo) -> Test:
    """Compare dates in the shop's time zone; a year or a month stands for all of its days."""
    first, last = _span(text)
    if comparator:
        holds = _INCLUSIVE[comparator]
        bound = last if comparator.startswith("<") else first
        return lambda node: any(holds(_local(value, zone), bound) for value in values(node) if value)
    return lambda node: any(first <= _local(value, zone) <= last for value in values(node) if value)


def _compare_range(values: Values, text: str, zone: ZoneInfo) -> Test:
    low, high = text.split("..", 1)
    first, last = _span(low.split("T")[0])[0], _span(high.split("T")[0])[1]
    return lambda node: any(first <= _local(value, zone) <= last for value in values(node) if value)


@lru_cache(maxsize=200_000)
def _local(text: str, zone: ZoneInfo) -> date:
    return instant(text).astimezone(zone).date()


def _span(text: str) -> tuple[date, date]:
    try:
        if re.fullmatch(r"\d{4}", text):
            return date(int(text), 1, 1), date(int(text), 12, 31)
        if re.fullmatch(r"\d{4}-\d\d", text):
            first = date.fromisoformat(text + "-01")
            return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        return date.fromisoformat(text), date.fromisoformat(text)
    except ValueError as error:
        raise UnreadableTermError from error


def _id(values: Values, term: Comparison) -> Test:
    holds = _EXACT[term.comparator]
    wanted = [digits(part.strip()) for part in term.text.split(",")]
    if not all(wanted):
        raise UnreadableTermError
    return lambda node: any(holds(digits(value), bound) for value in values(node) if value for bound in wanted)


def _number(values: Values, term: Comparison) -> Test:
    holds = _EXACT[term.comparator]
    try:
        bound = Decimal(term.text)
    except InvalidOperation as error:
        raise UnreadableTermError from error
    return lambda node: any(holds(Decimal(str(value)), bound) for value in values(node) if value is not None)


def _alternatives(term: Comparison) -> list[str]:
    return [part.strip().casefold() for part in term.text.split(",")]


def _word(values: Values, term: Comparison) -> Test:
    wanted = _alternatives(term)
    whole = {part for part in wanted if not part.endswith("*")}
    starts = tuple(part.removesuffix("*") for part in wanted if part.endswith("*"))

    def test(node: Node) -> bool:
        folded = [str(value).casefold() for value in values(node) if value is not None]
        return any(value in whole or (bool(starts) and value.startswith(starts)) for value in folded)

    return test


def _none_of(values: Values, term: Comparison) -> Test:
    wanted = _word(values, term)
    return lambda node: not wanted(node)


def _text(values: Values, term: Comparison) -> Test:
    wanted = _words(term.text)
    if not wanted:
        raise UnreadableTermError
    start = wanted[-1] if term.text.endswith("*") else None

    def test(node: Node) -> bool:
        return any(_contains(_words(str(value)), wanted, start) for value in values(node) if value)

    return test


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _contains(words: list[str], wanted: list[str], start: str | None) -> bool:
    if start is not None:
        return any(word.startswith(start) for word in words)
    size = len(wanted)
    return any(words[at : at + size] == wanted for at in range(len(words) - size + 1))


def _flag(values: Values, term: Comparison) -> Test:
    text = term.text.casefold()
    if text not in ("true", "false"):
        raise UnreadableTermError
    return lambda node: any(bool(value) == (text == "true") for value in values(node))


_COMPARERS: dict[Kind, Callable[[Values, Comparison], Test]] = {
    Kind.TIME: _time,
    Kind.DAY: _day,
    Kind.ID: _id,
    Kind.NUMBER: _number,
    Kind.WORD: _word,
    Kind.TEXT: _text,
    Kind.FLAG: _flag,
    Kind.NONE_OF: _none_of,
}
