"""The fields of a record's content, flattened to paths, and the differences of two contents.

This module knows no kind of record. The meaning of a difference is decided in `compare.py`.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from shopify_xero_pipeline.changes.models import FieldDiff
from shopify_xero_pipeline.state.canonical import parse_exact_json


def flatten(content: Mapping[str, object]) -> dict[str, str]:
    """Return the text of every leaf by its path, such as `lines.0.tax_amount` or `address.city`.

    Args:
        content: objects, arrays and values of JSON; nulls are left out.
    """
    texts: dict[str, str] = {}
    _add_leaves(texts, "", content.items())
    return texts


def _add_leaves(texts: dict[str, str], prefix: str, members: Iterable[tuple[object, object]]) -> None:
    for name, value in members:
        if isinstance(value, dict):
            _add_leaves(texts, f"{prefix}{name}.", value.items())
        elif isinstance(value, list):
            _add_leaves(texts, f"{prefix}{name}.", enumerate(value))
        elif value is not None:
            texts[f"{prefix}{name}"] = str(value)


def parse_payload(payload: str) -> dict[str, object]:
    """Return a stored payload as a dictionary, with numbers as `Decimal`."""
    content: dict[str, object] = parse_exact_json(payload)
    return content


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[FieldDiff, ...]:
    """Return the fields that differ, in the order of `after`, followed by the fields that only `before` has.

    Args:
        before: one content of a record.
        after: another content of the same record.
    """
    old, new = flatten(before), flatten(after)
    changed = [FieldDiff(path, old.get(path), text) for path, text in new.items() if old.get(path) != text]
    removed = [FieldDiff(path, text, None) for path, text in old.items() if path not in new]
    return (*changed, *removed)


def payload_amount(payload: str) -> Decimal | None:
    """Return the total of a document or the amount of a Payment or Allocation, in the record's currency.

    The payload is our own or, to compare both alike, Xero's element. A record without an amount, such as a Contact,
    returns None.
    """
    content = parse_payload(payload)
    for name in ("total", "Total", "amount", "Amount"):
        if name in content:
            return Decimal(str(content[name]))
    return None
