"""What to write into `books.yaml` so that a blocked order can be posted: one line of YAML, quoted as YAML needs it.

Every sentence of this room that shows a piece of `books.yaml` gets it here, and ends with it. Which account or tax type
the line proposes is decided in `proposals.py`; what a setting means stands in `policy.py`. Names of gateways and taxes
are free text in Shopify: they may hold quotes, colons, line breaks, or look like a number.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

import yaml

from shopify_xero_pipeline.books.policy import BooksPolicy

_ENDLESS = 2**31
"""Characters after which PyYAML may break a line: never."""

ACCOUNT, TAX_TYPE = "ACCOUNT", "TAX_TYPE"
"""What stands in a line where nothing can be proposed; preflight refuses them with the codes that Xero has."""

_SHOWN = re.compile(r"(?P<how>(?:add to|set in) books\.yaml(?: under (?P<place>[a-z_.]+))?: )")


class NamedTax(Protocol):
    """A tax as Shopify shows it: its title, and its rate as a fraction (0.15 for 15 %)."""

    @property
    def title(self) -> str:
        """The title, any text."""
        ...

    @property
    def rate(self) -> Decimal | None:
        """The rate, None if Shopify gives none."""
        ...


@dataclass(frozen=True)
class Remedy:
    """A line of `books.yaml` and its place.

    Attributes:
        verb: `add to` beside what stands there, or `set in` for a setting that stands there once.
        place: the dotted setting below which the line belongs; '' for the top of the file.
        line: the YAML, on one line, without indentation.
    """

    verb: Literal["add to", "set in"]
    place: str
    line: str

    @property
    def how(self) -> str:
        """The words before the line."""
        return f"{self.verb} books.yaml{f' under {self.place}' if self.place else ''}: "

    @property
    def sentence(self) -> str:
        """The instruction with the line at its end."""
        return f"{self.how}{self.line}"

    @property
    def indented(self) -> str:
        """The line as it stands in the file: two spaces for each setting above it."""
        return "  " * (self.place.count(".") + 1 if self.place else 0) + self.line


def remedy_in(reason: str) -> Remedy | None:
    """Return the remedy that a reason ends with, None if it shows no line of `books.yaml`."""
    found = _SHOWN.search(reason)
    if found is None:
        return None
    verb: Literal["add to", "set in"] = "add to" if found["how"].startswith("add to") else "set in"
    return Remedy(verb, found["place"] or "", reason[found.end() :])


def remedies_in(reasons: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return the lines that reasons show, indented and each once, by the words that say where they belong."""
    lines: dict[str, dict[str, None]] = {}
    for remedy in filter(None, map(remedy_in, reasons)):
        lines.setdefault(remedy.how, {})[remedy.indented] = None
    return {how: list(found) for how, found in lines.items()}


def split_reason(reason: str) -> tuple[str, str]:
    """Return what a reason says has happened, and what to do about it; the latter is '' where nothing is."""
    found = _SHOWN.search(reason)
    head, tail = (reason, "") if found is None else (reason[: found.start()], reason[found.start() :])
    said, divided, to_do = head.rpartition("; ")
    return (said, to_do + tail) if divided else (head, tail)


def payment(policy: BooksPolicy, gateway: str, account: str) -> Remedy:
    """Return how a gateway is given its account."""
    return _entry_of_mapping(policy, "payments", gateway, account)


def tax_rate(policy: BooksPolicy, taxes: Sequence[NamedTax], tax_type: str) -> Remedy:
    """Return how one tax, or several that stand on one line, are given a tax type of Xero's.

    Args:
        policy: as `books.yaml` stands.
        taxes: as Shopify shows them; each has a title or a usable rate.
        tax_type: of Xero's.
    """
    keys = [_keys(tax) for tax in taxes]
    rule = {**keys[0], "tax_type": tax_type} if len(keys) == 1 else {"combination": keys, "tax_type": tax_type}
    known = [rate.model_dump(exclude_defaults=True) for rate in policy.tax.rates]
    return _entry_of_tax_list(policy, "rates", rule, known)


def tax_account(policy: BooksPolicy, tax: NamedTax, account: str) -> Remedy:
    """Return how a tax is given its liability account in mode `lines`."""
    return _entry_of_tax_list(policy, "lines", {**_keys(tax), "account": account}, [])


def setting(policy: BooksPolicy, group: str, name: str, value: str) -> Remedy:
    """Return how one setting of a group (`refund`), or of the top (''), gets a value in place of the one it has."""
    if not group:
        return _at_top(policy, name, value)
    if group not in policy.model_fields_set:
        return Remedy("add to", "", _line({group: {name: value}}))
    verb: Literal["add to", "set in"] = "set in" if name in getattr(policy, group).model_fields_set else "add to"
    return Remedy(verb, group, _line({name: value}))


def can_be_named(tax: NamedTax) -> bool:
    """Return whether `books.yaml` can name a tax: by its title or by its rate."""
    return bool(_keys(tax))


def _entry_of_mapping(policy: BooksPolicy, name: str, key: str, value: str) -> Remedy:
    """An entry below a setting; where the file leaves that out, or has it empty, the whole of it."""
    known: Mapping[str, str] = getattr(policy, name)
    if name in policy.model_fields_set and known:
        return Remedy("add to", name, _line({key: value}))
    return _at_top(policy, name, {**known, key: value})


def _entry_of_tax_list(
    policy: BooksPolicy, name: str, entry: Mapping[str, Any], known: Sequence[Mapping[str, Any]]
) -> Remedy:
    if "tax" not in policy.model_fields_set:
        return Remedy("add to", "", _line({"tax": {name: [*known, entry]}}))
    if name not in policy.tax.model_fields_set:
        return Remedy("add to", "tax", _line({name: [*known, entry]}))
    if not getattr(policy.tax, name):
        return Remedy("set in", "tax", _line({name: [entry]}))
    return Remedy("add to", f"tax.{name}", f"- {_flow(entry)}")


def _at_top(policy: BooksPolicy, name: str, value: object) -> Remedy:
    return Remedy("set in" if name in policy.model_fields_set else "add to", "", _line({name: value}))


def _keys(tax: NamedTax) -> dict[str, object]:
    """Return what an entry can say of a tax: a title that is not empty, a rate below 1 (as `TaxPart` accepts them)."""
    keys: dict[str, object] = {"title": tax.title} if tax.title else {}
    return keys | ({"rate": tax.rate} if tax.rate is not None and 0 <= tax.rate < 1 else {})


def _line(entry: Mapping[str, Any]) -> str:
    """Return a single `key: value` with the value in flow style."""
    ((key, value),) = entry.items()
    return f"{_scalar(key)}: {_flow(value)}"


def _flow(value: object) -> str:
    """Return a value as YAML on one line, in flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else _scalar(str(value))


def _scalar(text: str) -> str:
    """Return a text as YAML reads it back, on one line; what cannot be seen is written as an escape."""
    if text.isprintable():
        quoted = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=_ENDLESS)
        return quoted.strip("\n")[1:-1]
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08X}"
