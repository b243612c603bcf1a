"""The content of one organisation with its look-ups, and its serialisation as JSON.

`XeroBooks` stores and finds records and makes no decisions. The rules of writes are in the modules of the records,
edits by people in `human_edits.py`.
"""

import copy
import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from shopify_xero_pipeline.sandbox.xero import demo_company
from shopify_xero_pipeline.sandbox.xero.records import Allocation, Contact, Contents, Document, Item, Payment
from shopify_xero_pipeline.sandbox.xero.wire import read_day


class XeroBooks:
    """One organisation in memory.

    Args:
        contents: its content; by default the empty Demo Company (NZ).
    """

    def __init__(self, contents: Contents | None = None) -> None:
        contents = contents or _demo_company()
        self.tenant_id = contents.tenant_id
        self.organisation = contents.organisation
        self.accounts = contents.accounts
        self.tax_rates = contents.tax_rates
        self.currencies = contents.currencies
        self.history = contents.history
        self.refresh_tokens = contents.refresh_tokens
        self._counters = contents.counters
        self.contacts = {contact.id: contact for contact in contents.contacts}
        self.items = {item.id: item for item in contents.items}
        self.documents = {document.id: document for document in contents.documents}
        self.payments = {payment.id: payment for payment in contents.payments}
        self.allocations = {allocation.id: allocation for allocation in contents.allocations}
        self._index = _Index(self)

    @classmethod
    def with_settings(
        cls,
        organisation: object | None = None,
        accounts: object | None = None,
        tax_rates: object | None = None,
        currencies: object | None = None,
    ) -> "XeroBooks":
        """Return empty books with recorded settings; missing settings are the Demo Company's.

        Args:
            organisation: Xero's response to GET /Organisation, or its one element, parsed with exact numbers.
            accounts: Xero's response to GET /Accounts, or its elements.
            tax_rates: Xero's response to GET /TaxRates, or its elements.
            currencies: Xero's response to GET /Currencies, or its elements; by default the base currency of
                `organisation`.
        """
        contents = _demo_company()
        if organisation is not None:
            contents.organisation = _elements(organisation, "Organisations")[0]
            contents.currencies = [{"Code": contents.organisation["BaseCurrency"], "Description": ""}]
        if accounts is not None:
            contents.accounts = _elements(accounts, "Accounts")
        if tax_rates is not None:
            contents.tax_rates = _elements(tax_rates, "TaxRates")
        if currencies is not None:
            contents.currencies = _elements(currencies, "Currencies")
        return cls(contents)

    def to_json(self) -> str:
        """Return the content as JSON with exact numbers."""
        contents = Contents(
            tenant_id=self.tenant_id,
            organisation=self.organisation,
            accounts=self.accounts,
            tax_rates=self.tax_rates,
            currencies=self.currencies,
            contacts=list(self.contacts.values()),
            items=list(self.items.values()),
            documents=list(self.documents.values()),
            payments=list(self.payments.values()),
            allocations=list(self.allocations.values()),
            history=self.history,
            refresh_tokens=self.refresh_tokens,
            counters=self._counters,
        )
        return msgspec.json.Encoder(decimal_format="number").encode(contents).decode()

    @classmethod
    def from_json(cls, text: str) -> "XeroBooks":
        """Return the books that `to_json` wrote.

        Raises:
            ValueError: the text is not the output of `to_json`.
        """
        return cls(msgspec.convert(json.loads(text, parse_float=Decimal), Contents))

    def new_id(self) -> str:
        """Return the next GUID of this organisation; the same calls create the same ids, also after a restart."""
        seed = f"{self.tenant_id}/{self.next_number('id')}"
        return str(uuid.UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16], version=4))

    def next_number(self, sequence: str) -> int:
        """Return the next number of a sequence, from 1."""
        self._counters[sequence] = self._counters.get(sequence, 0) + 1
        return self._counters[sequence]

    def keep_contact(self, contact: Contact) -> None:
        """Store a new or changed contact."""
        self.contacts[contact.id] = contact
        self._index.contact(contact)

    def keep_item(self, item: Item) -> None:
        """Store a new or changed item."""
        self.items[item.id] = item
        self._index.item(item)

    def drop_item(self, item: Item) -> None:
        """Remove an item."""
        del self.items[item.id]

    def keep_document(self, document: Document) -> None:
        """Store a new or changed document."""
        self.documents[document.id] = document
        self._index.document(document)

    def keep_payment(self, payment: Payment) -> None:
        """Store a new or changed payment."""
        self.payments[payment.id] = payment
        self._index.payment(payment)

    def keep_allocation(self, allocation: Allocation) -> None:
        """Store an allocation."""
        self.allocations[allocation.id] = allocation
        self._index.allocation(allocation)

    def drop_allocation(self, allocation: Allocation) -> None:
        """Remove an allocation."""
        del self.allocations[allocation.id]

    def contact_called(self, name: str) -> Contact | None:
        """Return the active contact with a name, ignoring case and outer spaces."""
        key = name.strip().casefold()
        contacts = (self.contacts[contact_id] for contact_id in self._index.contact_names.get(key, {}))
        return next((c for c in contacts if c.status == "ACTIVE" and c.name.strip().casefold() == key), None)

    def contact_numbered(self, number: str) -> Contact | None:
        """Return the contact with a ContactNumber, archived or not."""
        contact = self.contacts.get(self._index.contact_numbers.get(number, ""))
        return contact if contact and contact.number == number else None

    def contact_with_account_number(self, number: str) -> Contact | None:
        """Return the contact with an AccountNumber."""
        matches = (contact for contact in self.contacts.values() if contact.account_number == number)
        return next(matches, None) if number else None

    def item_coded(self, code: str) -> Item | None:
        """Return the item with a code, ignoring case."""
        item = self.items.get(self._index.item_codes.get(code.casefold(), ""))
        return item if item and item.code.casefold() == code.casefold() else None

    def document_numbered(self, document_type: str, number: str) -> Document | None:
        """Return the document with a type and number, ignoring case."""
        document = self.documents.get(self._index.numbers.get((document_type, number.casefold()), ""))
        return document if document and document.number.casefold() == number.casefold() else None

    def payments_of(self, document: Document) -> list[Payment]:
        """Return the payments of a document without the deleted ones."""
        paid = (self.payments[payment_id] for payment_id in self._index.payments.get(document.id, ()))
        return [payment for payment in paid if payment.status == "AUTHORISED"]

    def allocations_of(self, document: Document) -> list[Allocation]:
        """Return the allocations of an invoice or of a credit note."""
        ids = self._index.allocations.get(document.id, ())
        return [self.allocations[allocation_id] for allocation_id in ids if allocation_id in self.allocations]

    def account(self, code: str | None = None, account_id: str | None = None) -> dict[str, Any] | None:
        """Return the account with a code or an id; an active account takes precedence over a deleted one."""
        matches = [
            account
            for account in self.accounts
            if (code and account.get("Code") == code)
            or (account_id and account["AccountID"].lower() == account_id.lower())
        ]
        return min(matches, key=lambda account: account.get("Status") != "ACTIVE", default=None)

    def tax_rate(self, tax_type: str) -> dict[str, Any] | None:
        """Return the active tax rate of a TaxType."""
        matches = (rate for rate in self.tax_rates if rate["TaxType"] == tax_type and rate.get("Status") == "ACTIVE")
        return next(matches, None)

    @property
    def base_currency(self) -> str:
        """The organisation's base currency."""
        return str(self.organisation["BaseCurrency"])

    def lock_dates(self) -> Iterable[tuple[str, date]]:
        """Yield each lock date that is set, with Xero's name for it."""
        for name, words in (("EndOfYearLockDate", "end of year lock date"), ("PeriodLockDate", "period lock date")):
            day = read_day(self.organisation.get(name))
            if day:
                yield words, day


class _Index:
    """Look-ups by keys other than the id. Entries are never removed; a reader checks that the record still matches."""

    def __init__(self, books: XeroBooks) -> None:
        self.contact_names: dict[str, dict[str, None]] = {}
        self.contact_numbers: dict[str, str] = {}
        self.item_codes: dict[str, str] = {}
        self.numbers: dict[tuple[str, str], str] = {}
        self.payments: dict[str, dict[str, None]] = {}
        self.allocations: dict[str, dict[str, None]] = {}
        for contact in books.contacts.values():
            self.contact(contact)
        for item in books.items.values():
            self.item(item)
        for document in books.documents.values():
            self.document(document)
        for payment in books.payments.values():
            self.payment(payment)
        for allocation in books.allocations.values():
            self.allocation(allocation)

    def contact(self, contact: Contact) -> None:
        self.contact_names.setdefault(contact.name.strip().casefold(), {})[contact.id] = None
        if contact.number:
            self.contact_numbers[contact.number] = contact.id

    def item(self, item: Item) -> None:
        self.item_codes[item.code.casefold()] = item.id

    def document(self, document: Document) -> None:
        self.numbers[document.type, document.number.casefold()] = document.id

    def payment(self, payment: Payment) -> None:
        self.payments.setdefault(payment.document_id, {})[payment.id] = None

    def allocation(self, allocation: Allocation) -> None:
        for document_id in (allocation.credit_note_id, allocation.invoice_id):
            self.allocations.setdefault(document_id, {})[allocation.id] = None


def _demo_company() -> Contents:
    return Contents(
        tenant_id=demo_company.TENANT_ID,
        organisation=copy.deepcopy(demo_company.ORGANISATION),
        accounts=demo_company.accounts(),
        tax_rates=demo_company.tax_rates(),
        currencies=copy.deepcopy(demo_company.CURRENCIES),
    )


def _elements(response: Any, name: str) -> list[dict[str, Any]]:
    """Return the elements of a response response, with or without its envelope."""
    elements = response.get(name, response) if isinstance(response, Mapping) else response
    if isinstance(elements, Mapping):
        return [dict(elements)]
    return [dict(element) for element in elements]
