"""The plan of one kind of record over any number of days, as one change-set per day.

This module has the rules that concern several records: the order of days, records of several days, names that clash,
and orders that are not posted. The plan of a single record is in `compare.py`, the desired state in `desired_state.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from shopify_xero_pipeline.books.contacts import is_nameless, with_id_suffix
from shopify_xero_pipeline.books.records import OrderBooks, Outcome
from shopify_xero_pipeline.changes.compare import build_change, plan_record
from shopify_xero_pipeline.changes.drift import CHANGING, flag_manual_payments
from shopify_xero_pipeline.changes.earlier_days import EarlierDays
from shopify_xero_pipeline.changes.fields import parse_payload
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.models import WRITING_ACTIONS, Action, Change, ChangeSet
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import RECORD, AnyRecord, Contact, Document, Kind

ACTION_OF_OUTCOME = {Outcome.WAITING: Action.WAITING, Outcome.SKIPPED: Action.SKIPPED, Outcome.BLOCKED: Action.BLOCKED}
NUMBERED_ADOPTION = "a Contact of this e-mail and name is already in Xero; only its ContactNumber is set"
"""The reason of an adoption that needs a request."""


def has_conflicts(change_sets: Iterable[ChangeSet]) -> bool:
    """Return whether a plan has a conflict.

    Args:
        change_sets: plans of any kinds and days.
    """
    return any(line.action is Action.CONFLICT for change_set in change_sets for line in change_set.changes)


def has_writes(change_sets: Iterable[ChangeSet]) -> bool:
    """Return whether a plan writes to Xero.

    Args:
        change_sets: plans of any kinds and days.
    """
    return any(line.action in WRITING_ACTIONS for change_set in change_sets for line in change_set.changes)


def plan_records(
    kind: Kind,
    records_by_day: Mapping[date, Sequence[AnyRecord]],
    known: KnownRecords,
    *,
    restore: bool = False,
    earlier: EarlierDays | None = None,
) -> list[ChangeSet]:
    """Return a change-set for each day. A record that several days need is planned on the first of them.

    Args:
        kind: the kind of all records.
        records_by_day: the desired records by day, in the shop's time zone.
        known: the mapping and mirror of the kind.
        restore: whether the plan overwrites a person's change of a Contact or Item in Xero.
        earlier: the records of this kind on the earlier days of the range; those of these days are added.
    """
    first_days = (earlier or EarlierDays()).first_days
    return [
        ChangeSet(kind=kind, day=day, changes=tuple(_lines(records_by_day[day], day, first_days, known, restore)))
        for day in sorted(records_by_day)
    ]


def plan_contacts(
    contacts_by_day: Mapping[date, Sequence[Contact]],
    known: KnownRecords,
    *,
    adopt: bool = True,
    restore: bool = False,
    earlier: EarlierDays | None = None,
) -> list[ChangeSet]:
    """Return the change-sets of Contacts with unique names.

    Args:
        contacts_by_day: the desired Contacts by day, in the shop's time zone.
        known: the mapping and mirror of Contacts.
        adopt: whether a Contact that a person created is adopted if its e-mail and name are the customer's.
        restore: whether the plan overwrites a person's change of a Contact in Xero.
        earlier: the Contacts of the earlier days of the range; those of these days are added.
    """
    earlier = earlier or EarlierDays()
    adoptable = _adoptable_contacts(known) if adopt else {}
    names = _ContactNames(known, adoptable, earlier.contact_names)
    unique_by_day = {
        day: [names.with_unique_name(contact) for contact in contacts_by_day[day]] for day in sorted(contacts_by_day)
    }
    plans = plan_records(Kind.CONTACT, unique_by_day, known, restore=restore, earlier=earlier)
    return [_with_adoptions(plan, adoptable) for plan in plans]


def plan_orders(
    kind: Kind,
    books_by_day: Mapping[date, Sequence[OrderBooks]],
    known: KnownRecords,
    contacts: KnownRecords | None = None,
    held_orders: Mapping[str, str] | None = None,
) -> list[ChangeSet]:
    """Return the change-sets of Invoices, Credit Notes, or Payments with their Allocations.

    Args:
        kind: INVOICE, CREDIT_NOTE or PAYMENT. The change-sets of Invoices also list each order that is not posted, with
            the reason.
        books_by_day: the books of each day's orders, by day in the shop's time zone.
        known: the mapping and mirror of the kind; for PAYMENT of Payments and Allocations.
        contacts: the mapping and mirror of Contacts. An order is blocked if its Contact is archived in Xero.
        held_orders: reasons why nothing more is written for an order, by order id (`held_orders.py`).
    """
    contacts, plans = contacts or KnownRecords(), []
    for day in sorted(books_by_day):
        lines: list[Change] = []
        for books in books_by_day[day]:
            order_lines = _order_lines(kind, books, known, contacts)
            reason = (held_orders or {}).get(books.order_id)
            lines += order_lines if reason is None else [_hold(line, reason) for line in order_lines]
        plans.append(ChangeSet(kind=kind, day=day, changes=tuple(lines)))
    return plans


def _lines(
    records: Sequence[AnyRecord], day: date, first_days: dict[str, date], known: KnownRecords, restore: bool
) -> Iterable[Change]:
    for record in records:
        planned_day = first_days.setdefault(record.shopify_id, day)
        line = plan_record(record, known.mapped.get(record.shopify_id), known.mirrored(record), restore=restore)
        if planned_day != day and line.action in WRITING_ACTIONS:
            line = build_change(Action.UNCHANGED, record, reason=f"planned with {planned_day}")
        yield line


def _order_lines(kind: Kind, books: OrderBooks, known: KnownRecords, contacts: KnownRecords) -> list[Change]:
    if books.outcome is not Outcome.POST:
        line = _not_posted(kind, books, ACTION_OF_OUTCOME[books.outcome], books.reason)
        return [line] if kind is Kind.INVOICE else []
    records: list[AnyRecord] = [document for document in books.documents if document.kind is kind]
    if kind is Kind.PAYMENT:
        records = [*books.payments, *books.allocations]
    lines = []
    for record in records:
        contact = contacts.xero_id(record.contact_id) if isinstance(record, Document) else None
        mapped = known.mapped.get(record.shopify_id)
        lines.append(plan_record(record, mapped, known.mirrored(record), contact_xero_id=contact))
    if kind is Kind.PAYMENT:
        lines = list(flag_manual_payments(books, [*_allocations_to_delete(books, known), *lines], known))
    has_archived_contact = any(contacts.is_archived(document.contact_id) for document in books.documents)
    if has_archived_contact and any(line.action in WRITING_ACTIONS for line in lines):
        reason = "its Contact is archived in Xero; restore the Contact there and run the day again"
        return [_not_posted(kind, books, Action.BLOCKED, reason)]
    return lines


def _hold(line: Change, reason: str) -> Change:
    """Turn a line that creates or deletes into a conflict with a reason, and return any other line unchanged."""
    if line.action not in CHANGING:
        return line
    return line.model_copy(update={"action": Action.CONFLICT, "reason": reason, "fields": ()})


def _allocations_to_delete(books: OrderBooks, known: KnownRecords) -> Iterable[Change]:
    """Yield the deletion of each Allocation whose amount the order's payments now need.

    A Payment is never deleted (docs/books.md §5).
    """
    desired_ids = {allocation.shopify_id for allocation in books.allocations}
    for row in known.allocations_of(books.order_id):
        if row.shopify_id not in desired_ids:
            record = RECORD.validate_json(row.payload)
            reason = "a later payment needs its amount on the document; it is deleted before that payment is written"
            yield build_change(Action.DELETE, record, reason=reason, xero_id=row.xero_id)


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


class _ContactNames:
    """The Contact names in use. No two live Contacts share a name, and a posted Contact keeps its name."""

    def __init__(
        self, known: KnownRecords, adoptable: Mapping[tuple[str, str], MirrorRecord], assigned: dict[str, str]
    ) -> None:
        self._known = known
        self._adoptable = adoptable
        self._assigned = assigned
        ours = {row.xero_id: key for key, row in known.mapped.items()}
        self._owner = {
            Element.from_row(row).text("Name").casefold(): ours.get(row.xero_id, row.natural_key or row.xero_id)
            for row in known.mirror
            if row.status == "ACTIVE"
        }
        for key, row in known.mapped.items():
            self._owner.setdefault(_text(row, "name").casefold(), key)

    def with_unique_name(self, contact: Contact) -> Contact:
        """Return the Contact under its own name, or with its id in the name if another Contact has that name."""
        mapped = self._known.mapped.get(contact.shopify_id)
        posted = _text(mapped, "name") if mapped is not None else ""
        if posted and is_nameless(contact):  # a Contact keeps its name after Shopify erased the customer
            return contact.model_copy(update={"name": posted})
        renamed = with_id_suffix(contact)
        if posted == renamed.name:
            return renamed
        name = contact.name.casefold()
        owner = self._owner.get(name) or self._assigned.setdefault(name, contact.shopify_id)
        is_own = owner in {contact.shopify_id, contact.contact_number} or _adoption_key(contact) in self._adoptable
        return contact if is_own else renamed


def _with_adoptions(plan: ChangeSet, adoptable: Mapping[tuple[str, str], MirrorRecord]) -> ChangeSet:
    lines = []
    for line in plan.changes:
        owner = adoptable.get(_adoption_key(line.record)) if line.action is Action.CREATE else None
        if owner is not None:
            adopted = {"action": Action.ADOPT, "reason": NUMBERED_ADOPTION, "xero_id": owner.xero_id}
            line = line.model_copy(update=adopted)
        lines.append(line)
    return plan.model_copy(update={"changes": tuple(lines)})


def _adoptable_contacts(known: KnownRecords) -> dict[tuple[str, str], MirrorRecord]:
    """Return Contacts that a person created and that can be adopted, by e-mail and name.

    Such a Contact has no ContactNumber and is the only active Contact with its e-mail.
    """
    by_email: dict[str, list[MirrorRecord]] = defaultdict(list)
    for row in known.mirror:
        if row.status == "ACTIVE":
            by_email[_email_and_name(row)[0]].append(row)
    candidates = [rows[0] for email, rows in by_email.items() if email and len(rows) == 1 and not rows[0].natural_key]
    return {_email_and_name(row): row for row in candidates}


def _email_and_name(row: MirrorRecord) -> tuple[str, str]:
    element = Element.from_row(row)
    return element.text("EmailAddress").casefold(), element.text("Name").casefold()


def _adoption_key(record: AnyRecord | None) -> tuple[str, str]:
    """Return the e-mail and name that an adoptable Contact must have; blank without an e-mail, which matches none."""
    if not isinstance(record, Contact) or not record.email:
        return "", ""
    return record.email.casefold(), record.name.casefold()


def _text(row: MappedRecord, name: str) -> str:
    return str(parse_payload(row.payload).get(name) or "")
