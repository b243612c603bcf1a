"""The records of a round: days of orders with part payments, refunds and allocations, determined by their number.

This module only contains the records to load. Each amount leaves room for its duplicate, so that Xero's own limits of
the outstanding amount hide no duplicate.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.xero.models import AnyRecord, Contact, Document, Item, Kind, Payment
from shopify_xero_pipeline_tests.support.records import DAY, allocation, contact, credit_note, invoice, item, payment
from shopify_xero_pipeline_tests.support.world import FAMILIES, change_set

ORDERS_A_DAY = 1
FIRST_ORDER = 1001

Row = tuple[str, str, str, str, str]
"""Kind, natural key, amount, currency, account."""


def day_of(number: int) -> date:
    """Return the calendar day of a number, from 0, in the shop's time zone."""
    return DAY - timedelta(days=60) + timedelta(days=number)


def records_of(day: int) -> list[AnyRecord]:
    """Return the records of a day: a Contact of its own, an Item that all days share, and its orders."""
    records: list[AnyRecord] = [contact(day + 1), item()]
    for order in range(ORDERS_A_DAY):
        records += _order(FIRST_ORDER + day * ORDERS_A_DAY + order, str(day + 1))
    return records


def _order(number: int, contact_id: str) -> list[AnyRecord]:
    """Return two equal part payments, and a credit note that is partly refunded and partly allocated."""
    bill = invoice(number, "515.00", contact_id=contact_id)
    note = credit_note(number, "123.00", contact_id=contact_id)
    return [
        bill,
        note,
        payment(bill, "20.00", number * 10 + 1),
        payment(bill, "20.00", number * 10 + 2),
        payment(note, "3.00", number * 10 + 3),
        allocation(note, bill, "7.00"),
    ]


def plans(days: Sequence[int]) -> list[list[ChangeSet]]:
    """Return the plans of the days by family of kinds, in the order of a run."""
    records = {day: records_of(day) for day in days}
    families = []
    for kinds in FAMILIES:
        of_kind = {day: [record for record in every if record.kind in kinds] for day, every in records.items()}
        families.append([change_set(*family, day=day_of(day)) for day, family in of_kind.items()])
    return families


def wanted(days: int) -> list[Row]:
    """Return the records that Xero must have at the end, each once."""
    rows = {_row(record) for day in range(days) for record in records_of(day)}
    return sorted(rows)


def _row(record: AnyRecord) -> Row:
    amount, currency, account = Decimal(0), "", ""
    if isinstance(record, Item):
        amount = record.unit_price or Decimal(0)
    elif isinstance(record, Document):
        amount, currency = record.total, record.currency
        account = " ".join(line.account_code for line in record.lines)
    elif not isinstance(record, Contact):
        amount, currency = record.amount, record.currency
        account = record.account_code if isinstance(record, Payment) else ""
    return record.kind.value, record.natural_key, f"{amount.normalize():f}", currency, account


def kinds() -> list[str]:
    """Return the kinds in the order of writing."""
    return [kind.value for kind in Kind]
