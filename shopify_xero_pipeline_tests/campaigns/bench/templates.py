"""Templates of posted orders: the rows of an order with placeholders for everything that differs in a copy.

A copy of an order has other ids, numbers, names, e-mail addresses and days, and the same amounts. This module only
reads the rows of a store and makes copies of them; `history.py` decides on the copies and writes them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import md5
from typing import Any

from shopify_xero_pipeline.state.canonical import digest
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord, Operation, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.elements import EPOCH
from shopify_xero_pipeline.xero.models import Kind

ORDER_KINDS = (Kind.INVOICE, Kind.CREDIT_NOTE, Kind.PAYMENT, Kind.ALLOCATION)
GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Copy:
    """One copy of an order.

    Attributes:
        round: the number of the copy among the copies of the same order.
        number: the digits in the order's name.
        shift: the distance of its day from the day of the original.
    """

    round: int
    number: int
    shift: timedelta


@dataclass(frozen=True)
class RowTemplate:
    """A row with placeholders.

    Attributes:
        fields: the values by column.
        texts: the columns with placeholders, each with a format for the operator `%`.
        times: the columns with a day or an instant.
    """

    fields: Mapping[str, Any]
    texts: Mapping[str, str]
    times: tuple[str, ...]

    def copy(self, values: Mapping[str, str], shift: timedelta) -> dict[str, Any]:
        """Return the row of a copy.

        Args:
            values: the texts of the copy by placeholder.
            shift: the distance of the copy's day from the original's.
        """
        row = dict(self.fields)
        for name, text in self.texts.items():
            row[name] = text % values
        for name in self.times:
            row[name] += shift
        return row


@dataclass(frozen=True)
class RecordTemplate:
    """The three rows of a posted record."""

    kind: Kind
    mapped: RowTemplate
    mirrored: RowTemplate
    operation: RowTemplate


@dataclass(frozen=True)
class RecordCopy:
    """The rows of a copied record; the operation lacks its id and its batch."""

    mapped: MappedRecord
    mirrored: MirrorRecord
    operation: dict[str, Any]


@dataclass(frozen=True)
class OrderTemplate:
    """A posted order with its records, and with its Contact unless an earlier order has it.

    Attributes:
        placeholders: the kind of each placeholder and the text that it replaces, by its name.
    """

    order_id: str
    day: date
    records: tuple[RecordTemplate, ...]
    placeholders: Mapping[str, tuple[str, str]]

    def copy(self, copy: Copy) -> Iterator[RecordCopy]:
        """Yield the rows of a copy, the Contact first."""
        values = {name: VALUES[kind](text, copy) for name, (kind, text) in self.placeholders.items()}
        for record in self.records:
            mapped = record.mapped.copy(values, copy.shift)
            mapped["checksum"] = digest(mapped["payload"])
            operation = record.operation.copy(values, copy.shift) | {"checksum": mapped["checksum"]}
            mirrored = record.mirrored.copy(values, copy.shift)
            yield RecordCopy(MappedRecord.model_validate(mapped), MirrorRecord.model_validate(mirrored), operation)


@dataclass(frozen=True)
class PlacedCopy:
    """A copy of an order on its day."""

    day: date
    template: OrderTemplate
    copy: Copy


def copied_id(text: str, copy: Copy) -> str:
    """Return the Shopify id of a copied record."""
    return f"{text}{copy.round:05d}"


def _guid(text: str, copy: Copy) -> str:
    name = md5(f"{text} {copy.round}".encode(), usedforsecurity=False).hexdigest()
    return f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"


def _milliseconds(text: str, copy: Copy) -> str:
    return str(int(text) + copy.shift.days * 86_400_000)


def _day(text: str, copy: Copy) -> str:
    return (date.fromisoformat(text) + copy.shift).isoformat()


VALUES = {
    "guid": _guid,
    "milliseconds": _milliseconds,
    "day": _day,
    "id": copied_id,
    "number": lambda _, copy: str(copy.number),
    "name": lambda _, copy: f"{copy.round} ",
    "email": lambda _, copy: f"{copy.round}.",
}
"""The text of a copy by the kind of a placeholder; those for names and e-mail addresses are prefixes."""


class TemplateReader:
    """Reads the posted orders of a store as templates.

    Args:
        store: a store that a real sync filled.
        shared: GUIDs that copies have in common with their originals, such as those of accounts and Items.
    """

    def __init__(self, store: StateStore, shared: Iterable[str]) -> None:
        self._shared = frozenset(shared)
        self._mapped = {kind: store.mapped(kind) for kind in (Kind.CONTACT, *ORDER_KINDS)}
        self._mirrored = {(kind, row.xero_id): row for kind in self._mapped for row in store.mirror(kind)}
        self._operations = {
            (operation.kind, operation.shopify_id): operation
            for operation in store.journal.in_state(OperationState.CONFIRMED)
        }
        self._contacts = set[str]()

    def read(self, order_id: str) -> OrderTemplate:
        """Return the template of an order; the first order of a customer has the Contact.

        Args:
            order_id: Shopify's id of a posted order.
        """
        rows = [row for kind in ORDER_KINDS for row in self._mapped[kind].values() if row.order_id == order_id]
        contact = self._contact_of(rows[0])
        tokens = _Tokens(self._shared, order_id, rows, contact)
        is_new = contact.shopify_id not in self._contacts
        self._contacts.add(contact.shopify_id)
        records = tuple(self._record(row, tokens) for row in ([contact] if is_new else []) + rows)
        return OrderTemplate(order_id, rows[0].partition, records, tokens.placeholders)

    def _contact_of(self, document: MappedRecord) -> MappedRecord:
        (contact_id,) = re.findall(r'"contact_id":"([^"]+)"', document.payload)
        return self._mapped[Kind.CONTACT][contact_id]

    def _record(self, mapped: MappedRecord, tokens: "_Tokens") -> RecordTemplate:
        operation = self._operations[mapped.kind, mapped.shopify_id]
        assert digest(mapped.payload) == mapped.checksum
        assert operation.outcome == "created"
        return RecordTemplate(
            Kind(mapped.kind),
            tokens.row(mapped),
            tokens.row(self._mirrored[Kind(mapped.kind), mapped.xero_id]),
            tokens.row(operation.model_copy(update={"payload": ""})),  # as after its retention
        )


class _Tokens:
    """The texts of an order that differ in a copy."""

    def __init__(
        self, shared: frozenset[str], order_id: str, rows: Iterable[MappedRecord], contact: MappedRecord
    ) -> None:
        texts = " ".join(f"{row.shopify_id} {row.natural_key}" for row in rows)
        (number,) = {*re.findall(r"SH-(\d+)", texts)}
        ids = {order_id, contact.shopify_id, *re.findall(r"\d{9,}", texts)}
        self._shared = shared
        self._names: dict[tuple[str, str], str] = {}
        self._pattern = re.compile(
            rf"(?P<guid>{GUID})"
            r"|(?<=/Date\()(?P<milliseconds>\d{13})"
            r"|(?<!\d)(?P<day>20\d\d-\d\d-\d\d)"
            rf"|(?<!\d)(?P<id>{'|'.join(sorted(ids))})(?!\d)"
            rf"|(?:(?<=#)|(?<=SH-))(?P<number>{number})(?!\d)"
        )
        self._personal = re.compile(
            self._pattern.pattern + r'|(?P<name>(?<="[nN]ame":"))|(?P<email>(?<="email":")|(?<="EmailAddress":"))'
        )

    @property
    def placeholders(self) -> Mapping[str, tuple[str, str]]:
        """Kind and text by the name of the placeholder."""
        return {name: token for token, name in self._names.items()}

    def row(self, record: MappedRecord | MirrorRecord | Operation) -> RowTemplate:
        """Return a row with placeholders."""
        fields = record.model_dump()
        pattern = self._personal if record.kind == Kind.CONTACT else self._pattern
        texts = {name: self._format(value, pattern) for name, value in fields.items() if isinstance(value, str)}
        return RowTemplate(
            fields,
            {name: text for name, text in texts.items() if "%(" in text},
            tuple(name for name, value in fields.items() if isinstance(value, date) and value != EPOCH),
        )

    def _format(self, text: str, pattern: re.Pattern[str]) -> str:
        return pattern.sub(self._placeholder, text.replace("%", "%%"))

    def _placeholder(self, match: re.Match[str]) -> str:
        kind = str(match.lastgroup)
        if match[0] in self._shared:
            return match[0]
        name = self._names.setdefault((kind, match[kind]), f"p{len(self._names)}")
        return f"%({name})s"
