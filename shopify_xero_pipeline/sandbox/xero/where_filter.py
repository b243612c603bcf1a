"""The supported part of Xero's `where` language: comparisons, AND, OR, brackets, three text methods.

Everything else is refused (B27), also a method on a null text, for which the real API requires a null guard too.
"""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from shopify_xero_pipeline.sandbox.xero.answers import bad_query

Getters: TypeAlias = Mapping[str, Callable[[Any], Any]]
Test: TypeAlias = Callable[[Any], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"[^"]*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z][A-Za-z.]*)"""
    r"""|(?P<sign>==|!=|<>|>=|<=|=|<|>|&&|\|\||\(|\)|,))"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_METHODS: dict[str, Callable[[str, str], bool]] = {
    "Contains": lambda text, part: part in text,
    "StartsWith": str.startswith,
    "EndsWith": str.endswith,
}


def parse(text: str, getters: Getters) -> Test:
    """Return the test on records for a filter.

    Args:
        text: the filter, decoded from the URL.
        getters: the functions from a record to its fields, by name; names are case-insensitive.

    Raises:
        Refused: 400 QueryParseException for an unsupported filter.
    """
    parser = _Parser(_tokens(text), {name.lower(): getter for name, getter in getters.items()})
    test = parser.alternatives()
    parser.end()
    return test


def comparable(value: object) -> Any:
    """Return a value in the form that is compared: texts without case, days as midnight in UTC."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    return value


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise bad_query(f"The query could not be parsed at position {at}: {text[at : at + 20]}")
        tokens.append((str(match.lastgroup), match[0].strip()))
        at = match.end()
    return tokens


class _Parser:
    """A recursive-descent parser over the tokens."""

    def __init__(self, tokens: list[tuple[str, str]], getters: Getters) -> None:
        self._tokens = tokens
        self._getters = getters

    def alternatives(self) -> Test:
        tests = [self._conjunction()]
        while self._take("||", "or"):
            tests.append(self._conjunction())
        return lambda record: any(test(record) for test in tests)

    def end(self) -> None:
        if self._tokens:
            raise bad_query(f"Unexpected '{self._tokens[0][1]}' in the query")

    def _conjunction(self) -> Test:
        tests = [self._term()]
        while self._take("&&", "and"):
            tests.append(self._term())
        return lambda record: all(test(record) for test in tests)

    def _term(self) -> Test:
        if self._take("("):
            test = self.alternatives()
            self._expect(")")
            return test
        name = self._next("name")
        head, _, method = name.rpartition(".")
        if method in _METHODS and self._take("("):
            return self._text_test(head, method)
        getter = self._getter(name)
        sign = self._next("sign")
        if sign not in _COMPARE:
            raise bad_query(f"'{sign}' is not an operator")
        return _comparison(name, getter, sign, self._literal())

    def _text_test(self, name: str, method: str) -> Test:
        getter, part = self._getter(name), self._next("text").strip('"')
        self._expect(")")

        def test(record: Any) -> bool:
            text = getter(record)
            if text is None:
                raise bad_query(f"{name} is null for some records; guard it with {name}!=null")
            return _METHODS[method](comparable(text), comparable(part))

        return test

    def _getter(self, name: str) -> Callable[[Any], Any]:
        getter = self._getters.get(name.lower())
        if getter is None:
            raise bad_query(f"No property or field '{name}' exists in the type, or it is not emulated")
        return getter

    def _literal(self) -> Any:
        kind, word = self._pop()
        if kind == "text":
            return word.strip('"')
        if kind == "number":
            return Decimal(word)
        if word.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word.lower()]
        if word.lower() in ("guid", "datetime"):
            return self._constructor(word.lower())
        raise bad_query(f"'{word}' is not a value")

    def _constructor(self, kind: str) -> Any:
        self._expect("(")
        if kind == "guid":
            value: Any = self._next("text").strip('"')
        else:
            parts = [int(self._next("number"))]
            while self._take(","):
                parts.append(int(self._next("number")))
            value = _moment(parts)
        self._expect(")")
        return value

    def _pop(self) -> tuple[str, str]:
        if not self._tokens:
            raise bad_query("The query ends too early")
        return self._tokens.pop(0)

    def _next(self, kind: str) -> str:
        token_kind, word = self._pop()
        if token_kind != kind:
            raise bad_query(f"Unexpected '{word}' in the query")
        return word

    def _take(self, *words: str) -> bool:
        if self._tokens and self._tokens[0][1].lower() in words:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise bad_query(f"'{word}' was expected in the query")


def _comparison(name: str, getter: Callable[[Any], Any], sign: str, literal: Any) -> Test:
    wanted = comparable(literal)

    def test(record: Any) -> bool:
        value = comparable(getter(record))
        if sign not in ("==", "=", "!=", "<>") and (value is None or wanted is None):
            return False
        try:
            return _COMPARE[sign](value, wanted)
        except TypeError:
            raise bad_query(f"Operator '{sign}' cannot compare {name} with this value") from None

    return test


def _moment(parts: list[int]) -> datetime:
    try:
        year, month, day, hour, minute, second = [*parts, 0, 0, 0][:6]
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise bad_query(f"DateTime({', '.join(map(str, parts))}) is not a date") from None
