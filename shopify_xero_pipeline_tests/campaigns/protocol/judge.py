"""What must be true when a run has come to rest: Xero holds what was wanted, once, and the store knows exactly that.

First the multisets of (kind, natural key, amount, currency, every other part), then the totals; then the mapping, id by
id; then the states of the journal. It is told what was wanted and looks at Xero's books and the store; how they came
about does not matter here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.records import Contact as XeroContact
from shopify_xero_pipeline.sandbox.xero.records import Document
from shopify_xero_pipeline.state.canonical import parse_exact_json
from shopify_xero_pipeline.state.records import Operation, OperationState
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, CreditNote, Invoice, Item, Kind, Line, Payment
from shopify_xero_pipeline_tests.campaigns.protocol.trade import Trade, key_of

GONE = ("VOIDED", "DELETED")
Entry = tuple[str, str, Decimal, str, str]
"""Kind, natural key, amount, currency, every other part that we mean to post, as one text."""


def wanted_entry(record: AnyRecord, codes: Mapping[str, str] | None = None) -> Entry:
    """Return what Xero is to show of a record, every part of it; `codes` are those of the Items in Xero by variant."""
    if isinstance(record, Contact):
        parts = (record.name, record.first_name, record.last_name, record.email, record.phone)
        return ("contact", record.contact_number, Decimal(0), "", _said(*parts))
    if isinstance(record, Item):
        return ("item", record.code, Decimal(0), "", _said(record.name, record.description, record.unit_price))
    if isinstance(record, Invoice | CreditNote):
        due = record.due_date if isinstance(record, Invoice) else None
        header = (record.reference, record.contact_id, record.date, due, record.line_amount_types, record.total_tax)
        lines = [_wanted_line(line, codes or {}) for line in record.lines]
        return (record.kind.value, record.natural_key, record.total, record.currency, _said(*header, *lines))
    if isinstance(record, Payment):
        said = _said(record.account_code, record.date)
        return (record.kind.value, record.natural_key, record.amount, record.currency, said)
    return (record.kind.value, record.natural_key, record.amount, record.currency, _said(record.date))


def _wanted_line(line: Line, codes: Mapping[str, str]) -> str:
    money = (line.quantity, line.unit_amount, line.discount_amount or 0, line.tax_amount)
    return _said(line.description, line.account_code, line.tax_type, codes.get(line.variant_id or "", ""), *money)


def _said(*parts: object) -> str:
    """Return parts as one text, numbers as numbers, whatever zeros they end in."""
    plain = (f"{part.normalize():f}" if isinstance(part, Decimal) else str(part or "") for part in parts)
    return " | ".join(plain)


class Shown:
    """What Xero holds of ours, live or not, by Xero id, every part of it."""

    def __init__(self, books: XeroBooks) -> None:
        self.live: dict[str, Entry] = {}
        self.gone: dict[str, Entry] = {}
        self._read(books)

    def _read(self, books: XeroBooks) -> None:
        for one in books.contacts.values():
            if one.number:
                self._keep(one.id, one.status, ("contact", one.number, Decimal(0), "", _contact_said(one)))
        for thing in books.items.values():
            said = _said(thing.name, thing.description, thing.sales_price)
            self._keep(thing.id, "", ("item", thing.code, Decimal(0), "", said))
        for document in books.documents.values():
            if " shopify:" in document.reference:
                kind = "credit_note" if document.is_credit_note else "invoice"
                said = _document_said(document, books)
                entry = (kind, document.number, document.total, document.currency, said)
                self._keep(document.id, document.status, entry)
        for money in books.payments.values():
            if money.reference.startswith("shopify:"):
                document = books.documents[money.document_id]
                code = next(one["Code"] for one in books.accounts if one["AccountID"] == money.account_id)
                key = f"{money.reference}|{document.number}"
                entry = ("payment", key, money.amount, document.currency, _said(code, money.date))
                self._keep(money.id, money.status, entry)
        for credit in books.allocations.values():
            note, bill = books.documents[credit.credit_note_id], books.documents[credit.invoice_id]
            key = f"{note.number}|{bill.number}|{credit.amount.normalize():f}"
            self._keep(credit.id, "", ("allocation", key, credit.amount, note.currency, _said(credit.date)))

    def _keep(self, xero_id: str, status: str, entry: Entry) -> None:
        (self.gone if status in GONE else self.live)[xero_id] = entry


def _contact_said(one: XeroContact) -> str:
    names = (one.texts.get(name) for name in ("FirstName", "LastName", "EmailAddress"))
    name = one.name.removesuffix(f" ({one.number.removeprefix('shopify:')})")  # where another one bears that name
    return _said(name, *names, one.phones.get("DEFAULT", {}).get("PhoneNumber"))


def _document_said(document: Document, books: XeroBooks) -> str:
    bearer = books.contacts[document.contact_id].number.removeprefix("shopify:")
    due = None if document.is_credit_note else document.due_date
    header = (document.reference, bearer, document.date, due, document.line_amount_types, document.total_tax)
    lines = [
        _said(
            line.description,
            line.account_code,
            line.tax_type,
            line.item_code,
            line.quantity,
            line.unit_amount,
            line.discount_amount or 0,
            line.tax_amount,
        )
        for line in document.lines
    ]
    return _said(*header, *lines)


class Judgement:
    """One run's end, judged.

    Attributes:
        problems: what is wrong, in words; a duplicate begins with "duplicate", a loss with "lost", what never came to
            an end with "stuck".
    """

    def __init__(self, trade: Trade, books: XeroBooks, store: StateStore) -> None:
        self._trade = trade
        self._store = store
        self._books = books
        self._shown = Shown(books)
        self._failed = {(one.kind, one.shopify_id): one for one in store.failed_records()}
        self._open: dict[tuple[str, str], Operation] = {
            (one.kind, one.shopify_id): one
            for state in (
                OperationState.PLANNED,
                OperationState.IN_BATCH,
                OperationState.NEEDS_CHECK,
                OperationState.NEEDS_REVIEW,
            )
            for one in store.journal.in_state(state)
        }
        self.problems = [*self._duplicates(), *self._records(), *self._mapping(), *self._stuck(), *self._strangers()]
        self.problems += self._mirror()
        if not self.problems:
            self.problems += self._multisets()

    def _meddled(self, record: AnyRecord) -> bool:
        return getattr(record, "order_id", None) in self._trade.meddled

    def _wanted(self, record: AnyRecord) -> Entry:
        """Return what Xero is to show of a record: without the codes of Items that Xero refused for good."""
        refused = {shopify_id for kind, shopify_id in self._failed if kind == "item"}
        things = (one for plan in self._trade.plans for one in plan.records if isinstance(one, Item))
        return wanted_entry(record, {one.shopify_id: one.code for one in things if one.shopify_id not in refused})

    def _duplicates(self) -> Iterator[str]:
        counted = Counter(one[:2] for one in (*self._shown.live.values(), *self._shown.gone.values()))
        for (kind, key), times in counted.items():
            if times > 1:
                yield f"duplicate: {kind} {key} stands {times} times in Xero"

    def _records(self) -> Iterator[str]:
        """Judge each wanted record by itself."""
        live = Counter(self._shown.live.values())
        for record in self._trade.last.records:
            if self._meddled(record):
                continue
            times = live[self._wanted(record)]
            failure, waiting = self._failed.get(key_of(record)), self._open.get(key_of(record))
            if times == 1 and (failure or waiting):
                yield f"wrongly {'failed' if failure else 'open'}: {_named(record)} is in Xero"
            if times == 0 and not failure and not (waiting and _is_reason(waiting.reason)):
                yield f"lost: {_named(record)} is not in Xero, and nothing says why"
        for record in self._trade.last.taken_back:
            if live[self._wanted(record)] and not self._meddled(record):
                yield f"left: {_named(record)} was to be taken back"

    def _mapping(self) -> Iterator[str]:
        mapped = {row.xero_id: row for kind in Kind for row in self._store.mapped(kind).values()}
        for xero_id, row in mapped.items():
            entry = self._shown.live.get(xero_id) or self._shown.gone.get(xero_id)
            if entry is None and row.order_id not in self._trade.meddled:
                yield f"mapped to nothing: {row.kind} {row.natural_key}"
            elif entry is not None and entry[:2] != (row.kind, row.natural_key):
                yield f"mis-assigned: {row.kind} {row.natural_key} is mapped to {entry[0]} {entry[1]}"
        unknown = [one for xero_id, one in self._shown.live.items() if xero_id not in mapped]
        for entry in unknown:
            if entry[:2] not in self._under_review() and not self._of_meddled(entry):
                yield f"not mapped: {entry[0]} {entry[1]} is in Xero"

    def _mirror(self) -> Iterator[str]:
        """The mirror, just swept, shows each document as Xero holds it, its money too."""
        rows = {row.xero_id: row for kind in (Kind.INVOICE, Kind.CREDIT_NOTE) for row in self._store.mirror(kind)}
        for document in self._books.documents.values():
            row = rows.get(document.id)
            if row is None:
                yield f"stale: the mirror does not show {document.number}"
                continue
            shown = parse_exact_json(row.payload)
            left = Decimal(str(shown.get("AmountDue", shown.get("RemainingCredit", 0))))
            if (row.status, left) != (document.status, document.outstanding):
                held = f"{document.status} with {document.outstanding} left"
                yield f"stale: the mirror shows {document.number} {row.status} with {left} left, Xero holds it {held}"

    def _of_meddled(self, entry: Entry) -> bool:
        return any(order in entry[1] for order in self._trade.meddled)

    def _under_review(self) -> set[tuple[str, str]]:
        return {(one.kind, one.natural_key) for one in self._open.values() if one.state is OperationState.NEEDS_REVIEW}

    def _stuck(self) -> Iterator[str]:
        for batch in self._store.journal.unsettled():
            yield f"stuck: batch {batch.id} is {batch.state}"
        for one in self._open.values():
            if one.state in (OperationState.IN_BATCH, OperationState.NEEDS_CHECK):
                yield f"stuck: {one.kind} {one.natural_key} is {one.state}: {one.reason}"
            elif one.state is OperationState.PLANNED and not self._waits_rightly(one.reason):
                yield f"stuck: {one.kind} {one.natural_key} is planned: {one.reason or 'no reason'}"

    def _waits_rightly(self, reason: str) -> bool:
        """Tell whether a record waits for a parent that has failed, or waits itself, or was meddled with."""
        held = {one.natural_key for one in self._failed.values()} | {one.natural_key for one in self._open.values()}
        meddled = any(order in reason for order in self._trade.meddled)
        return reason.startswith("waits") and (meddled or any(key in reason for key in held))

    def _strangers(self) -> Iterator[str]:
        ours = [*self._trade.last.records, *self._trade.last.taken_back, *self._trade.dropped()]
        known = {wanted_entry(one)[:2] for one in ours}
        for entry in self._shown.live.values():
            if entry[:2] not in known:
                yield f"unknown: {entry[0]} {entry[1]} was never wanted"

    def _multisets(self) -> Iterator[str]:
        """Compare all that is wanted and not failed with all that Xero shows, and then the totals."""
        dropped = {wanted_entry(one)[:2] for one in self._trade.dropped()}
        aside = dropped | self._under_review()
        there = [one for one in self._shown.live.values() if one[:2] not in aside and not self._of_meddled(one)]
        absent = {*self._failed, *self._open}
        records = [one for one in self._trade.last.records if key_of(one) not in absent and not self._meddled(one)]
        want = [self._wanted(one) for one in records]
        if Counter(there) != Counter(want):
            yield f"unequal: {sorted(Counter(there) - Counter(want))} / {sorted(Counter(want) - Counter(there))}"
        if _totals(there) != _totals(want):
            yield f"totals: {_totals(there)} is not {_totals(want)}"


def _totals(entries: list[Entry]) -> dict[tuple[str, str], Decimal]:
    found: dict[tuple[str, str], Decimal] = {}
    for kind, _, amount, currency, _ in entries:
        found[kind, currency] = found.get((kind, currency), Decimal(0)) + amount
    return found


def _is_reason(reason: str) -> bool:
    return reason.startswith("waits")


def _named(record: AnyRecord) -> str:
    return f"{record.kind.value} {record.natural_key}"
