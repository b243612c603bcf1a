"""Remedies of blocked orders: one line of `books.yaml`, quoted as YAML requires.

Each reason that proposes a setting ends with such a line. `unmapped.py` chooses the account or tax type of the line;
`policy.py` defines the settings. Names of gateways and taxes are free text in Shopify: they can contain quotes, colons
and line breaks, or look like a number.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

import yaml

from shopify_xero_pipeline.books.policy import BooksPolicy

_NO_WRAP = 2**31
"""Line width for PyYAML that prevents line breaks."""

ACCOUNT, TAX_TYPE = "ACCOUNT", "TAX_TYPE"
"""Placeholders of a line without a proposal; the preflight check rejects them and lists the codes of Xero."""

_INSTRUCTION = re.compile(r"(?P<how>(?:add to|set in) books\.yaml(?: under (?P<place>[a-z_.]+))?: )")


class NamedTax(Protocol):
    """A tax of Shopify: its title, and its rate as a fraction (0.15 for 15 %)."""

    @property
    def title(self) -> str:
        """The title, free text."""
        ...

    @property
    def rate(self) -> Decimal | None:
        """The rate; None if Shopify gives none."""
        ...


@dataclass(frozen=True)
class Remedy:
    """A line of `books.yaml` and its place.

    Attributes:
        verb: `add to` adds the line to the others, `set in` replaces the present value.
        place: the dotted setting below which the line belongs; '' for the top level of the file.
        line: the YAML on one line, without indentation.
    """

    verb: Literal["add to", "set in"]
    place: str
    line: str

    @property
    def how(self) -> str:
        """The instruction before the line."""
        return f"{self.verb} books.yaml{f' under {self.place}' if self.place else ''}: "

    @property
    def sentence(self) -> str:
        """The instruction with the line."""
        return f"{self.how}{self.line}"

    @property
    def indented(self) -> str:
        """The line as in the file, indented by two spaces for each setting above it."""
        return "  " * (self.place.count(".") + 1 if self.place else 0) + self.line


def remedy_in(reason: str) -> Remedy | None:
    """Return the remedy at the end of a reason, or None."""
    match = _INSTRUCTION.search(reason)
    if match is None:
        return None
    verb: Literal["add to", "set in"] = "add to" if match["how"].startswith("add to") else "set in"
    return Remedy(verb, match["place"] or "", reason[match.end() :])


def remedies_in(reasons: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """Return the lines of the remedies in reasons, indented and each once, by instruction.

    Args:
        reasons: reasons of orders; those without a remedy are ignored.
    """
    lines: dict[str, dict[str, None]] = {}
    for remedy in filter(None, map(remedy_in, reasons)):
        lines.setdefault(remedy.how, {})[remedy.indented] = None
    return {how: list(group) for how, group in lines.items()}


def split_reason(reason: str) -> tuple[str, str]:
    """Return the problem of a reason and its remedy; the remedy is '' if the reason has none."""
    match = _INSTRUCTION.search(reason)
    head, tail = (reason, "") if match is None else (reason[: match.start()], reason[match.start() :])
    problem, separator, remedy = head.rpartition("; ")
    return (problem, remedy + tail) if separator else (head, tail)


def payment(policy: BooksPolicy, gateway: str, account: str) -> Remedy:
    """Return the line that gives a gateway its account; all of `payments` if the file omits it or has it empty.

    Args:
        policy: the settings of `books.yaml`.
        gateway: the gateway as Shopify names it.
        account: the account code.
    """
    if "payments" in policy.model_fields_set and policy.payments:
        return Remedy("add to", "payments", _line({gateway: account}))
    return _at_top(policy, "payments", {**policy.payments, gateway: account})


def tax_rate(policy: BooksPolicy, taxes: Sequence[NamedTax], tax_type: str) -> Remedy:
    """Return the line that gives one tax, or a combination of taxes, a tax type of Xero.

    Args:
        policy: the settings of `books.yaml`.
        taxes: the taxes of one sale; each has a title or a valid rate.
        tax_type: the tax type of Xero.
    """
    keys = [_keys(tax) for tax in taxes]
    rule = {**keys[0], "tax_type": tax_type} if len(keys) == 1 else {"combination": keys, "tax_type": tax_type}
    known = [rate.model_dump(exclude_defaults=True) for rate in policy.tax.rates]
    return _entry_of_tax_list(policy, "rates", rule, known)


def tax_account(policy: BooksPolicy, tax: NamedTax, account: str) -> Remedy:
    """Return the line that gives a tax its liability account in mode `lines`.

    Args:
        policy: the settings of `books.yaml`.
        tax: the tax; it has a title or a valid rate.
        account: the account code.
    """
    return _entry_of_tax_list(policy, "lines", {**_keys(tax), "account": account}, [])


def setting(policy: BooksPolicy, group: str, name: str, value: str) -> Remedy:
    """Return the line that replaces the value of a setting.

    Args:
        policy: the settings of `books.yaml`.
        group: the setting's group, such as `refund`; '' for the top level.
        name: the setting.
        value: the new value.
    """
    if not group:
        return _at_top(policy, name, value)
    if group not in policy.model_fields_set:
        return Remedy("add to", "", _line({group: {name: value}}))
    verb: Literal["add to", "set in"] = "set in" if name in getattr(policy, group).model_fields_set else "add to"
    return Remedy(verb, group, _line({name: value}))


def can_be_named(tax: NamedTax) -> bool:
    """Return whether `books.yaml` can name a tax: by its title or by its rate."""
    return bool(_keys(tax))


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
    """Return the keys of an entry for a tax: a title that is not empty, a rate below 1 (as `TaxPart` accepts them)."""
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
    """Return a text as a YAML scalar on one line, with escapes for characters that are not printable."""
    if text.isprintable():
        quoted = yaml.safe_dump([text], default_flow_style=True, allow_unicode=True, width=_NO_WRAP)
        return quoted.strip("\n")[1:-1]
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08X}"
