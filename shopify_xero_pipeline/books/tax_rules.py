"""Which entry of `tax.rates` or `tax.lines` stands for a tax: by title, pattern, kind of jurisdiction, rate and place.

Only the choice among entries belongs here (docs/books.md §4); what follows from it stands in `tax.py`. An entry
may name one tax, a family of taxes, or all taxes of a country or of everywhere; of those that fit the most exact wins.
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
"""Words of Shopify's American tax titles; the last one in a title tells: `Los Angeles County District Tax Sp`."""


@dataclass(frozen=True)
class Place:
    """Where goods go: codes of country (`US`) and province (`CA`), as far as Shopify says."""

    country: str | None = None
    province: str | None = None


def most_exact(entries: Sequence[Entry], taxes: Sequence[NamedTax], place: Place) -> Entry | None:
    """Return the entry that stands for the taxes of one row, or None; of two as exact as each other, the first."""
    fitting = [entry for entry in entries if _fits(entry, taxes, place)]
    return max(fitting, key=_exactness, default=None)


def jurisdiction_of(title: str) -> Jurisdiction | None:
    """Return who levies a tax, by the last word of its title that says so; None if none does."""
    found = [WORDS[word] for word in re.findall(r"[a-z]+", title.casefold()) if word in WORDS]
    return found[-1] if found else None


def _fits(entry: PlacedTax, taxes: Sequence[NamedTax], place: Place) -> bool:
    if entry.country not in (None, place.country) or entry.province not in (None, place.province):
        return False
    return entry.is_catch_all or (len(entry.parts) == len(taxes) and _paired(entry.parts, taxes))


def _paired(parts: Sequence[TaxPart], taxes: Sequence[NamedTax]) -> bool:
    """Return whether every part can be given a tax of its own."""
    if not parts:
        return True
    first, rest = parts[0], parts[1:]
    return any(
        _names(first, tax) and _paired(rest, [*taxes[:index], *taxes[index + 1 :]]) for index, tax in enumerate(taxes)
    )


def _names(part: TaxPart, tax: NamedTax) -> bool:
    """Return whether all that a part says is true of a tax; titles are compared without regard to case."""
    title = tax.title.strip().casefold()
    return (
        (part.title is None or part.title.strip().casefold() == title)
        and (part.title_like is None or _pattern(part.title_like).fullmatch(title) is not None)
        and (part.jurisdiction is None or part.jurisdiction == jurisdiction_of(title))
        and (part.rate is None or part.rate == tax.rate)
    )


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return a pattern in which `*` stands for any characters and `?` for one."""
    marks = {"*": ".*", "?": "."}
    return re.compile("".join(marks.get(char, re.escape(char)) for char in text.strip().casefold()), re.DOTALL)


def _exactness(entry: PlacedTax) -> tuple[int, int, int, int, int]:
    """How exact an entry is: one tax before a family, a family before a catch-all; then by how much it says."""
    parts = entry.parts
    one_tax = all(part.title is not None or part.rate is not None for part in parts)
    said = sum((part.title is not None) + (part.rate is not None) for part in parts)
    return (
        0 if entry.is_catch_all else 2 if one_tax else 1,
        said + (entry.country is not None),
        entry.province is not None,
        sum(len((part.title_like or "").replace("*", "").replace("?", "")) for part in parts),
        sum(part.jurisdiction is not None for part in parts),
    )
