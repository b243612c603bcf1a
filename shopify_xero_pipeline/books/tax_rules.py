"""Matching of taxes with entries of `tax.rates` and `tax.lines`: by title, pattern, jurisdiction, rate and place.

This module only chooses an entry (docs/books.md §4); `tax.py` applies it. An entry can name one tax, a family of taxes,
or all taxes of a country or of all countries. The most exact matching entry applies.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from shopify_xero_pipeline.books.policy import Jurisdiction, PlacedTax, TaxPart
from shopify_xero_pipeline.books.remedies import NamedTax

Entry = TypeVar("Entry", bound=PlacedTax)

WORDS: Mapping[str, Jurisdiction] = {
    "state": "state",
    **dict.fromkeys(("county", "co", "parish", "borough"), "county"),
    **dict.fromkeys(("city", "town", "township", "village", "municipal", "municipality"), "city"),
    **dict.fromkeys(("district", "special", "transit", "transportation", "local", "sp", "sl", "spd"), "district"),
}
"""Words of Shopify's US tax titles; the last one in a title decides: `Los Angeles County District Tax Sp`."""


@dataclass(frozen=True)
class Place:
    """Place of delivery: codes of country (`US`) and province (`CA`); None if Shopify gives none."""

    country: str | None = None
    province: str | None = None


def most_exact(entries: Sequence[Entry], taxes: Sequence[NamedTax], place: Place) -> Entry | None:
    """Return the most exact matching entry for the taxes of one sale, or None; of equally exact ones, the first.

    Args:
        entries: entries of `tax.rates` or `tax.lines`.
        taxes: the sale's taxes.
        place: the place of delivery.
    """
    matches = [
        entry
        for entry in entries
        if entry.country in (None, place.country)
        and entry.province in (None, place.province)
        and (entry.is_catch_all or (len(entry.parts) == len(taxes) and _can_pair(entry.parts, taxes)))
    ]
    return max(matches, key=_exactness) if len(matches) > 1 else next(iter(matches), None)


def jurisdiction_of(title: str) -> Jurisdiction | None:
    """Return the kind of levying authority from the last word in WORDS of a tax title, or None."""
    jurisdictions = [WORDS[word] for word in re.findall(r"[a-z]+", title.casefold()) if word in WORDS]
    return jurisdictions[-1] if jurisdictions else None


def _can_pair(parts: Sequence[TaxPart], taxes: Sequence[NamedTax]) -> bool:
    """Return whether each part can be paired with a different tax."""
    if not parts:
        return True
    first, rest = parts[0], parts[1:]
    return any(
        _matches_part(first, tax) and _can_pair(rest, [*taxes[:index], *taxes[index + 1 :]])
        for index, tax in enumerate(taxes)
    )


def _matches_part(part: TaxPart, tax: NamedTax) -> bool:
    """Return whether a tax matches all conditions of a part; titles are case-insensitive."""
    title = tax.title.strip().casefold()
    return (
        (part.title is None or part.title.strip().casefold() == title)
        and (part.title_like is None or _pattern(part.title_like).fullmatch(title) is not None)
        and (part.jurisdiction is None or part.jurisdiction == jurisdiction_of(title))
        and (part.rate is None or part.rate == tax.rate)
    )


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return a regular expression for a pattern with `*` for any characters and `?` for one."""
    marks = {"*": ".*", "?": "."}
    return re.compile("".join(marks.get(char, re.escape(char)) for char in text.strip().casefold()), re.DOTALL)


def _exactness(entry: PlacedTax) -> tuple[int, int, int, int, int]:
    """Return a sort key: one tax ranks above a family, a family above a catch-all, then by the number of conditions."""
    parts = entry.parts
    is_one_tax = all(part.title is not None or part.rate is not None for part in parts)
    conditions = sum((part.title is not None) + (part.rate is not None) for part in parts)
    return (
        0 if entry.is_catch_all else 2 if is_one_tax else 1,
        conditions + (entry.country is not None),
        entry.province is not None,
        sum(len((part.title_like or "").replace("*", "").replace("?", "")) for part in parts),
        sum(part.jurisdiction is not None for part in parts),
    )
