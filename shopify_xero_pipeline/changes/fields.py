"""The fields of a record's content, flattened to paths, and the differences of two contents.

This module knows no kind of record. The meaning of a difference is decided in `compare.py`.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from shopify_xero_pipeline.changes.models import FieldDiff
from shopify_xero_pipeline.state.canonical import parse_exact_json


def flatten(content: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every leaf, such as `lines.0.tax_amount` or `address.city`."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from flatten(value, f"{path}.{name}" if path else str(name))
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from flatten(value, f"{path}.{index}")
    elif content is not None:
        yield path, str(content)


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
    old, new = dict(flatten(before)), dict(flatten(after))
    paths = list(new) + [path for path in old if path not in new]
    return tuple(
        FieldDiff(field=path, before=old.get(path), after=new.get(path))
        for path in paths
        if old.get(path) != new.get(path)
    )


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
