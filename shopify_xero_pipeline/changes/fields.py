"""Field by field: two contents of a record, flattened to paths, and what differs between them.

Nothing here knows a kind of record; what a difference means is decided in `compare.py`.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from shopify_xero_pipeline.changes.models import FieldDiff
from shopify_xero_pipeline.state.canonical import parse_exact_json


def flatten(content: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) for every leaf: `lines.0.tax_amount`, `address.city`."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from flatten(value, f"{path}.{name}" if path else str(name))
    elif isinstance(content, list | tuple):
        for index, value in enumerate(content):
            yield from flatten(value, f"{path}.{index}")
    elif content is not None:
        yield path, str(content)


def parse_payload(payload: str) -> dict[str, object]:
    """Return a stored payload as a dictionary, numbers as `Decimal`."""
    content: dict[str, object] = parse_exact_json(payload)
    return content


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[FieldDiff, ...]:
    """Return the fields that differ, in the order of `after`, then those that are gone."""
    old, new = dict(flatten(before)), dict(flatten(after))
    paths = list(new) + [path for path in old if path not in new]
    return tuple(
        FieldDiff(field=path, before=old.get(path), after=new.get(path))
        for path in paths
        if old.get(path) != new.get(path)
    )


def payload_amount(payload: str) -> Decimal | None:
    """Return a document's total or a Payment's or Allocation's amount, of our own payload or of Xero's element.

    In the record's currency; None for what has none, such as a Contact.
    """
    content = parse_payload(payload)
    for name in ("total", "Total", "amount", "Amount"):
        if name in content:
            return Decimal(str(content[name]))
    return None
