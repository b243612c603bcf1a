"""What a run is to bring to Xero: a few orders with their documents and money, and one to three plans of it.

Part payments, refunds and small Allocations are what neither a number nor the amount outstanding guards in Xero. From
plan to plan records come again, come later, change (a Contact's address), are no longer wanted, or are taken back (an
Allocation). Only what is wanted stands here, by seed; how it gets there is the product's work.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from shopify_xero_pipeline.changes.models import Action, ChangeSet
from shopify_xero_pipeline.xero.models import Allocation, AnyRecord, Contact, CreditNote, Invoice, Item, Kind, Payment
from shopify_xero_pipeline_tests.support.records import DAY, allocation, contact, credit_note, invoice, item, payment
from shopify_xero_pipeline_tests.support.world import FAMILIES, change

Key = tuple[str, str]
TEMPORARY = "You have reached the limit of invoices you can approve"
FOR_GOOD = "The record is not acceptable to this organisation"


@dataclass(frozen=True)
class Plan:
    """What one load is asked for: the records, and those to be taken back."""

    records: tuple[AnyRecord, ...]
    taken_back: tuple[AnyRecord, ...] = ()

    def change_sets(self) -> list[ChangeSet]:
        """Return the plan as the loader takes it: one of each family, as Dagster makes them, even if it is empty."""
        gone = {one.shopify_id for one in self.taken_back}
        found = []
        for family in FAMILIES:
            some = [one for one in (*self.records, *self.taken_back) if one.kind in family]
            lines = [change(one, Action.DELETE if one.shopify_id in gone else Action.CREATE) for one in some]
            kind = Kind.PAYMENT if Kind.PAYMENT in family else family[0]
            found.append(ChangeSet(kind=kind, day=DAY, changes=tuple(lines)))
        return found


@dataclass(frozen=True)
class Trade:
    """The plans of a run, what Xero will refuse on the way, and which orders a person meddles with."""

    plans: tuple[Plan, ...]
    refusals: dict[str, str] = field(default_factory=dict)
    meddled: tuple[str, ...] = ()

    @property
    def last(self) -> Plan:
        """The plan that counts in the end."""
        return self.plans[-1]

    @property
    def churns(self) -> bool:
        """Whether two customers bear one name: a planner gives the second another one, these plans do not."""
        return len({one.name for one in self._contacts()}) < len(self._contacts())

    def _contacts(self) -> list[Contact]:
        return [one for one in self.last.records if isinstance(one, Contact)]

    def dropped(self) -> list[AnyRecord]:
        """Return what an earlier plan wanted and the last one no longer names: it may be in Xero or not."""
        named = {key_of(one) for one in (*self.last.records, *self.last.taken_back)}
        found = {key_of(one): one for plan in self.plans for one in plan.records if key_of(one) not in named}
        return list(found.values())


def key_of(record: AnyRecord) -> Key:
    """Return what tells records apart."""
    return record.kind.value, record.shopify_id


def trade(rng: random.Random, *, small: bool = False) -> Trade:
    """Draw what a run is about; a small one has one order and one customer, in one or two plans."""
    numbers = [1001 + at for at in range(1 if small else rng.choice((1, 1, 2, 3)))]
    most = 1 if small else rng.randint(1, 2)
    people = [contact(at, name=rng.choice((f"Aroha {at}", "Same Name"))) for at in range(1, most + 1)]
    items = rng.choice((0, 0, 1)) if small else rng.randint(1, 2)
    records: list[AnyRecord] = [*people, *(item(at) for at in range(1, items + 1))]
    for number in numbers:
        records += _order(number, rng.choice(people), items, rng)
    plans = _plans(records, rng, rng.choice((1, 1, 2) if small else (1, 1, 2, 3)))
    marked = [one for one in records if isinstance(one, Payment | Invoice | CreditNote | Item)]
    refused = rng.sample(marked, min(len(marked), rng.choice((0, 0, 0, 1, 2))))
    refusals = {_mark(one): rng.choice((TEMPORARY, FOR_GOOD)) for one in refused}
    meddled = [str(number) for number in numbers if rng.random() < 0.15]
    return Trade(plans, refusals, tuple(meddled))


def part_payments() -> Trade:
    """Return one order with part payments and nothing else, loaded three times."""
    bill = invoice(1001, "230.00")
    return Trade((Plan((contact(), bill, *(payment(bill, "10.00", 90 + at) for at in range(3)))),) * 3)


def _order(number: int, customer: Contact, items: int, rng: random.Random) -> Iterator[AnyRecord]:
    bill = invoice(number, rng.choice(("115.00", "230.00", "57.50")), contact_id=customer.shopify_id)
    if items:
        variant = {"variant_id": str(rng.randint(1, items))}
        bill = bill.model_copy(update={"lines": tuple(line.model_copy(update=variant) for line in bill.lines)})
    yield bill
    money = [payment(bill, rng.choice(("10.00", "12.50")), number * 10 + at) for at in range(rng.randint(1, 3))]
    if rng.random() < 0.3:
        rest = bill.total - sum((one.amount for one in money), Decimal(0))
        money.append(payment(bill, str(rest), number * 10 + 9))
        yield from money
        return
    yield from money
    if rng.random() < 0.7:
        note = credit_note(number, "23.00", contact_id=customer.shopify_id)
        yield note
        if rng.random() < 0.8:
            yield payment(note, "3.00", number * 10 + 7)
        if rng.random() < 0.7:
            yield allocation(note, bill, "5.00")


def _mark(record: AnyRecord) -> str:
    """Return what only the request that writes a record bears."""
    if isinstance(record, Item):
        return f'"Code":"{record.code}"'
    assert isinstance(record, Payment | Invoice | CreditNote)
    return f'"{record.reference}"'


def _plans(records: Sequence[AnyRecord], rng: random.Random, plans: int) -> tuple[Plan, ...]:
    """Spread records over some plans, parents never later than what hangs on them."""
    since: dict[Key, int] = {}
    for one in records:
        earliest = max((since[parent] for parent in _parents(one)), default=0)
        since[key_of(one)] = rng.randint(earliest, plans - 1) if rng.random() < 0.4 else earliest
    leaves = [one for one in records if isinstance(one, Payment | Allocation)]
    until = {key_of(one): rng.randint(1, plans - 1) for one in leaves if plans > 1 and rng.random() < 0.15}
    return tuple(_plan(records, at, since, until, rng) for at in range(plans))


def _plan(
    records: Sequence[AnyRecord], at: int, since: dict[Key, int], until: dict[Key, int], rng: random.Random
) -> Plan:
    here = [one for one in records if since[key_of(one)] <= at]
    kept = [one for one in here if at < until.get(key_of(one), at + 1)]
    back = [one for one in here if isinstance(one, Allocation) and one not in kept]
    changed: list[AnyRecord] = []
    for one in kept:
        moved = isinstance(one, Contact) and at > 0 and rng.random() < 0.5
        changed.append(_moved(one, at) if moved and isinstance(one, Contact) else one)
    return Plan(tuple(changed), tuple(back))


def _moved(one: Contact, at: int) -> Contact:
    return one.model_copy(update={"email": f"new{at}.{one.email}"})


def _parents(record: AnyRecord) -> Iterator[Key]:
    if isinstance(record, Invoice | CreditNote):
        yield "contact", record.contact_id
        yield from (("item", line.variant_id) for line in record.lines if line.variant_id)
    elif isinstance(record, Payment):
        yield str(Kind(record.document_kind).value), record.document_id
    elif isinstance(record, Allocation):
        yield "credit_note", record.credit_note_id
        yield "invoice", record.invoice_id
