"""Shopify's search syntax, which turns a query text into a test on records, with a real shop's warnings.

This module only contains the language: terms, connectives, quotes and ignored parts (docs/contracts/shopify.md §3.6,
E8). Search fields of a list are in `lists.py`, comparisons of values in `term_comparison.py`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.errors import FieldError, internal_error
from shopify_xero_pipeline.sandbox.shopify.term_comparison import Comparison, Kind, UnreadableTermError, compare

Test: TypeAlias = Callable[[Node], bool]


@dataclass(frozen=True)
class SearchField:
    """A search field of a list.

    Attributes:
        kind: how its values compare.
        values: the record's values of the field; None if the sandbox has no data for it.
    """

    kind: Kind
    values: Callable[[Node], Iterable[Any]] | None


@dataclass
class Search:
    """A parsed query.

    Attributes:
        matches: the test on a record.
        warnings: one for each ignored term, in the form of `extensions.search`.
        terms: the parsed terms, in the form of `extensions.search[].parsed`.
    """

    matches: Test
    warnings: list[dict[str, str]] = field(default_factory=list)
    terms: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str = ""
    field: str = ""
    comparator: str = ""
    quoted: bool = False


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<open>\() | (?P<close>\)) | (?P<minus>-(?=[\w("'])) |
      (?P<word>AND|OR|NOT)(?=[\s(]|$) |
      (?:(?P<field>[A-Za-z_][\w.]*):)? (?:\s*(?P<comparator>[<>]=?))?
      (?:'(?P<single>(?:\\.|[^'\\])*)' | "(?P<double>(?:\\.|[^"\\])*)" | (?P<bare>[^\s()'"][^\s()]*))?
    )""",
    re.VERBOSE,
)


def parse_search(text: str | None, fields: Mapping[str, SearchField], zone: ZoneInfo, now: datetime) -> Search:
    """Parse a query.

    Args:
        text: the `query` argument; None or blank matches every record.
        fields: the search fields of the list; "default" applies to terms without a field.
        zone: the shop's time zone, for dates and unquoted times.
        now: the instant of `now`.

    Returns:
        The search; unknown fields are ignored and leave a warning, as in the real API.

    Raises:
        FieldError: a field without a value (an internal error in the real API too), unbalanced brackets, or a field
            that Shopify supports and the sandbox has no data for.
    """
    parser = _Parser(_tokens(text or ""), fields, zone, now)
    test = parser.whole()
    return Search(test or _everything, parser.warnings, parser.terms)


def _everything(_node: Node) -> bool:
    return True


def _tokens(text: str) -> list[_Token]:
    tokens = []
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise FieldError(f"Invalid search query near {text[at:][:20]!r}.", "INVALID_SEARCH")
        at = match.end()
        tokens.append(_token(match))
    return tokens


def _token(match: re.Match[str]) -> _Token:
    for kind in ("open", "close", "minus"):
        if match[kind]:
            return _Token(kind)
    if match["word"]:
        return _Token(match["word"])
    quoted = match["bare"] is None
    value = match["bare"] if match["bare"] is not None else match["single"] or match["double"] or ""
    return _Token(
        "term",
        re.sub(r"\\(.)", r"\1", value),
        match["field"] or "",
        match["comparator"] or "",
        quoted and (match["single"] is not None or match["double"] is not None),
    )


class _Parser:
    """A recursive-descent parser: AND binds loosest, OR tighter, negation tightest; None stands for an ignored term."""

    def __init__(
        self, tokens: Sequence[_Token], fields: Mapping[str, SearchField], zone: ZoneInfo, now: datetime
    ) -> None:
        self._tokens = tokens
        self._at = 0
        self._fields = fields
        self._zone = zone
        self._now = now
        self.warnings: list[dict[str, str]] = []
        self.terms: list[dict[str, str]] = []

    def whole(self) -> Test | None:
        test = self._conjunction()
        if self._peek() is not None:
            raise FieldError("Invalid search query: a closing bracket without an opening one.", "INVALID_SEARCH")
        return test

    def _peek(self) -> str | None:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else None

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _conjunction(self) -> Test | None:
        parts = []
        while self._peek() not in (None, "close"):
            if self._peek() == "AND":
                self._take()
                continue
            parts.append(self._alternatives())
        return _combine(all, parts)

    def _alternatives(self) -> Test | None:
        parts = [self._operand()]
        while self._peek() == "OR":
            self._take()
            parts.append(self._operand())
        return _combine(any, parts)

    def _operand(self) -> Test | None:
        kind = self._peek()
        if kind in (None, "AND", "OR", "close"):
            raise FieldError("Invalid search query: a connective without a term.", "INVALID_SEARCH")
        token = self._take()
        if token.kind in ("NOT", "minus"):
            return _negate(self._operand())
        if token.kind == "open":
            test = self._conjunction()
            if self._peek() != "close":
                raise FieldError("Invalid search query: an opening bracket without a closing one.", "INVALID_SEARCH")
            self._take()
            return test
        return self._term(token)

    def _term(self, token: _Token) -> Test | None:
        name = token.field or "default"
        if not token.text:
            raise internal_error()
        self.terms.append({"field": name, "match_all": token.text})
        known = self._fields.get(name) or (self._fields.get("metafields") if name.startswith("metafields.") else None)
        if known is None:
            self.warnings.append(
                {"field": name, "message": "Invalid search field for this query.", "code": "invalid_field"}
            )
            return None
        if known.values is None:
            raise FieldError(f"The sandbox has no data to search by {name!r}.", "SANDBOX_LIMIT")
        comparison = Comparison(token.comparator, token.text, token.quoted, self._zone, self._now)
        try:
            return compare(known.kind, known.values, comparison)
        except UnreadableTermError:
            self.warnings.append(
                {"field": name, "message": f"Input `{token.text}` is not valid.", "code": "invalid_value"}
            )
            return None


def _negate(test: Test | None) -> Test | None:
    return None if test is None else lambda node: not test(node)


def _combine(quantifier: Callable[[Iterable[bool]], bool], parts: Sequence[Test | None]) -> Test | None:
    tests = [part for part in parts if part is not None]
    if len(tests) < 2:
        return tests[0] if tests else None
    return lambda node: quantifier(test(node) for test in tests)
