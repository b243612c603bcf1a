"""The formats of the Admin API's scalars: money without trailing zeros, UTC, big numbers as text.

Source: docs/contracts/shopify_orders.md §4.1.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from shopify_xero_pipeline.sandbox.shopify.errors import INTERNAL, FieldError


@lru_cache(maxsize=100_000)  # amounts and timestamps repeat in every response
@lru_cache(maxsize=100_000)
def money(value: str | int | Decimal) -> str:
    """Return an amount without trailing zeros, with at least one decimal: `43.0`, `32632.3` (E16)."""
    text = format(Decimal(value).normalize(), "f")
    if text in ("0", "-0"):
        return "0.0"
    return text if "." in text else text + ".0"


def _amount(value: Any) -> str:
    if isinstance(value, float):
        raise TypeError("money is never a float")
    return money(value)


@lru_cache(maxsize=100_000)
def _moment(value: str) -> str:
    parsed = datetime.fromisoformat(value)
    if parsed.tzinfo is None:
        raise ValueError(value)
    return parsed.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _whole(value: Any) -> int:
    if isinstance(value, bool) or value != int(value):
        raise ValueError(value)
    return int(value)


def _serializer(name: str, write: Callable[[Any], str]) -> Callable[[Any], str]:
    def serialize(value: Any) -> str:
        try:
            return write(value)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise FieldError(f"The data's value is not a {name}: {str(value)[:40]!r}", INTERNAL) from error

    return serialize


def _big_number(value: Any) -> str:
    return str(_whole(int(value) if isinstance(value, str) else value))


_FORMATS: Mapping[str, Callable[[Any], str]] = {
    "Decimal": _amount,
    "Money": _amount,
    "DateTime": _moment,
    "UnsignedInt64": _big_number,
}

SCALARS: Mapping[str, Callable[[Any], str]] = {name: _serializer(name, write) for name, write in _FORMATS.items()}
"""Serializers of the API's own scalars; graphql-core serializes the others."""
