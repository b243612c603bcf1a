"""The plan of one kind of record over any number of days: wanted records x mapping x Xero become change-sets.

Order of days, records wanted on several days, names that clash and orders that are not to be posted are dealt with
here; the verdict on a single record stands in `compare.py`, what is wanted at all in `desired_state.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from shopify_xero_pipeline.books.contacts import is_nameless, with_id_suffix
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.changes.compare import build_change, plan_record
from shopify_xero_pipeline.changes.drift import CHANGING, flag_manual_payments
from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.changes.posted_records import RECORD
from shopify_xero_pipeline.state.records import MirrorRecord
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Document, Kind

WRITING_ACTIONS = frozenset({Action.CREATE, Action.UPDATE, Action.ADOPT, Action.DELETE})
NOT_POSTED = {Outcome.WAITING: Action.WAITING, Outcome.SKIPPED: Action.SKIPPED, Outcome.BLOCKED: Action.BLOCKED}


def has_conflicts(change_sets: Iterable[ChangeSet]) -> bool:
    """Return whether a plan names anything in which Xero and we disagree."""
    return any(line.action is Action.CONFLICT for change_set in change_sets for line in change_set.changes)


def has_writes(change_sets: Iterable[ChangeSet]) -> bool:
    """Return whether a plan would write anything to Xero."""
    return any(line.action in WRITING_ACTIONS for change_set in change_sets for line in change_set.changes)


def plan_records(
    kind: Kind, wanted: Mapping[date, Sequence[AnyRecord]], known: KnownRecords, *, restore: bool = False
) -> list[ChangeSet]:
    """Return a change-set for each day; a record wanted on several days is planned on the first of them.

    Args:
        kind: of all records.
        wanted: records by day.
        known: the mapping and mirror of the kind.
        restore: whether a person's change of a Contact or Item in Xero is undone.
    """
    first_day: dict[str, date] = {}
    return [
        ChangeSet(kind=kind, day=day, changes=tuple(_lines(wanted[day], day, first_day, known, restore)))
        for day in sorted(wanted)
    ]


def plan_contacts(
    wanted: Mapping[date, Sequence[Contact]], known: KnownRecords, *, adopt: bool = True, restore: bool = False
) -> list[ChangeSet]:
    """Return the change-sets of Contacts, names made unique.

    Args:
        wanted: Contacts by day.
        known: the mapping and mirror of Contacts.
        adopt: whether a person's own Contact of the same e-mail and name becomes the customer's.
        restore: whether a person's change of a Contact in Xero is undone.
    """
    adoptable = _adoptable(known) if adopt else {}
    names = _Names(known, adoptable)
    by_day = {day: [names.settle(contact) for contact in wanted[day]] for day in sorted(wanted)}
    plans = plan_records(Kind.CONTACT, by_day, known, restore=restore)
    return [_adopting(plan, adoptable) for plan in plans]


def plan_orders(
    kind: Kind,
    wanted: Mapping[date, Sequence[OrderBooks]],
    known: KnownRecords,
    contacts: KnownRecords | None = None,
    held: Mapping[str, str] | None = None,
) -> list[ChangeSet]:
    """Return the change-sets of Invoices, Credit Notes or Payments (with their Allocations) for orders.

    Args:
        kind: INVOICE, CREDIT_NOTE or PAYMENT; the Invoices' change-set also names every order that is not posted,
            and why.
        wanted: the books of each day's orders.
        known: the mapping and mirror of the kind (for PAYMENT: of Payments and Allocations together).
        contacts: the mapping and mirror of Contacts; the orders of one that a person archived in Xero are blocked.
        held: why nothing more is written of an order, by order id (`held_orders.py`).
    """
    bearers, plans = contacts or KnownRecords(), []
    for day in sorted(wanted):
        lines: list[Change] = []
        for books in wanted[day]:
            found = _order_lines(kind, books, known, bearers)
            reason = (held or {}).get(books.order_id)
            lines += found if reason is None else [_held(line, reason) for line in found]
        plans.append(ChangeSet(kind=kind, day=day, changes=tuple(lines)))
    return plans


def _lines(
    records: Sequence[AnyRecord], day: date, first_day: dict[str, date], known: KnownRecords, restore: bool
) -> Iterable[Change]:
    for record in records:
        planned = first_day.setdefault(record.shopify_id, day)
        line = plan_record(record, known.mapped.get(record.shopify_id), known.mirrored(record), restore=restore)
        if planned == day:
            yield line
        elif line.action in WRITING_ACTIONS:
            yield build_change(Action.UNCHANGED, record, reason=f"planned with {planned}")
        else:
            yield line


def _order_lines(kind: Kind, books: OrderBooks, known: KnownRecords, contacts: KnownRecords) -> list[Change]:
    if books.outcome is not Outcome.POST:
        return [_not_posted(kind, books, NOT_POSTED[books.outcome], books.reason)] if kind is Kind.INVOICE else []
    bearers = {document.contact_id for document in books.documents}
    lines = [_order_line(record, known, contacts) for record in _records(kind, books)]
    if kind is Kind.PAYMENT:
        lines = list(flag_manual_payments(books, [*_credit_in_the_way(books, known), *lines], known))
    if any(contacts.is_archived(key) for key in bearers) and any(line.action in WRITING_ACTIONS for line in lines):
        reason = "its Contact is archived in Xero; restore the Contact there and run the day again"
        return [_not_posted(kind, books, Action.BLOCKED, reason)]
    return lines


def _held(line: Change, reason: str) -> Change:
    """Hold back what would be written; what is in Xero already, and what is a conflict of its own, stays as it is."""
    if line.action not in CHANGING:
        return line
    return line.model_copy(update={"action": Action.CONFLICT, "reason": reason, "fields": ()})


def _order_line(record: AnyRecord, known: KnownRecords, contacts: KnownRecords) -> Change:
    bearer = contacts.xero_id(record.contact_id) if isinstance(record, Document) else None
    return plan_record(record, known.mapped.get(record.shopify_id), known.mirrored(record), bearer=bearer)


def _credit_in_the_way(books: OrderBooks, known: KnownRecords) -> Iterable[Change]:
    """Take back Allocations that the order's money now leaves no room for; a Payment never is (docs/books.md §5)."""
    wanted = {allocation.shopify_id for allocation in books.allocations}
    for row in known.allocations_of(books.order_id):
        if row.shopify_id not in wanted:
            record = RECORD.validate_json(row.payload)
            reason = "it stands where later money belongs; it is taken back before that is written"
            yield build_change(Action.DELETE, record, reason=reason, xero_id=row.xero_id)


def _records(kind: Kind, books: OrderBooks) -> Sequence[AnyRecord]:
    if kind is Kind.PAYMENT:
        return [*books.payments, *books.allocations]
    return [document for document in books.documents if document.kind is kind]


def _not_posted(kind: Kind, books: OrderBooks, action: Action, reason: str) -> Change:
    return Change(
        action=action,
        kind=kind,
        shopify_id=books.order_id,
        order_id=books.order_id,
        order_name=books.order_name,
        reason=reason,
        amount=books.sales,
        currency=books.currency,
    )


class _Names:
    """Contact names in use, so that no two live Contacts are called the same; a name once given is kept."""

    def __init__(self, known: KnownRecords, adoptable: Mapping[tuple[str, str], MirrorRecord]) -> None:
        self._known = known
        self._adoptable = adoptable
        ours = {row.xero_id: key for key, row in known.mapped.items()}
        self._owner = {
            str(parse_payload(row.payload).get("Name", "")).casefold(): ours.get(
                row.xero_id, row.natural_key or row.xero_id
            )
            for row in known.mirror
            if row.status == "ACTIVE"
        }
        for key, row in known.mapped.items():
            self._owner.setdefault(str(parse_payload(row.payload).get("name", "")).casefold(), key)

    def settle(self, contact: Contact) -> Contact:
        """Return the Contact under its plain name, or with its id in the name if another one bears it."""
        mapped = self._known.mapped.get(contact.shopify_id)
        posted = parse_payload(mapped.payload).get("name") if mapped is not None else None
        if posted and is_nameless(contact):  # blanks never overwrite: a customer erased in Shopify keeps the name
            return contact.model_copy(update={"name": posted})
        suffixed = with_id_suffix(contact)
        if posted == suffixed.name:
            return suffixed
        owner = self._owner.setdefault(contact.name.casefold(), contact.shopify_id)
        mine = owner in {contact.shopify_id, contact.contact_number} or _key(contact) in self._adoptable
        return contact if mine else suffixed


def _adopting(plan: ChangeSet, adoptable: Mapping[tuple[str, str], MirrorRecord]) -> ChangeSet:
    lines = []
    for line in plan.changes:
        owner = adoptable.get(_key(line.record)) if line.action is Action.CREATE else None
        if owner is not None:
            reason = "a Contact of this e-mail and name is already in Xero; it gets our ContactNumber, nothing else"
            line = line.model_copy(update={"action": Action.ADOPT, "reason": reason, "xero_id": owner.xero_id})
        lines.append(line)
    return plan.model_copy(update={"changes": tuple(lines)})


def _adoptable(known: KnownRecords) -> dict[tuple[str, str], MirrorRecord]:
    """Return people's Contacts to adopt, by e-mail and name: unnumbered, and the only active ones of their e-mail."""
    by_email: dict[str, list[MirrorRecord]] = defaultdict(list)
    for row in known.mirror:
        if row.status == "ACTIVE":
            by_email[_text(row, "EmailAddress").casefold()].append(row)
    alone = [rows[0] for email, rows in by_email.items() if email and len(rows) == 1 and not rows[0].natural_key]
    return {(_text(row, "EmailAddress").casefold(), _text(row, "Name").casefold()): row for row in alone}


def _key(record: AnyRecord | None) -> tuple[str, str]:
    """Return what a person's Contact must agree in to be adopted; never found for anything without an e-mail."""
    if not isinstance(record, Contact) or not record.email:
        return "", ""
    return record.email.casefold(), record.name.casefold()


def _text(row: MirrorRecord, name: str) -> str:
    return str(parse_payload(row.payload).get(name) or "")
