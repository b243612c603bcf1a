"""The stored records that plans and reconciliations of days need: rows of the mapping and the mirror, read by key.

Each question costs what its records hold, whatever the books hold. This module only reads; the comparison is in
`changes/` and `reconciliation/`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from shopify_xero_pipeline.books.items import candidate_codes
from shopify_xero_pipeline.books.records import OrderBooks, PostedRecords
from shopify_xero_pipeline.changes.known_records import KnownRecords
from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.changes.posted_records import posted_records_by_order
from shopify_xero_pipeline.changes.reads_before_writes import documents_of_money
from shopify_xero_pipeline.changes.unmapped_posted import include_unmapped_posted
from shopify_xero_pipeline.loading.parent_ids import contacts_with_merges
from shopify_xero_pipeline.reconciliation.orphans import LISTED
from shopify_xero_pipeline.shopify.models import Variant
from shopify_xero_pipeline.state.record_keys import document_key, email_key, name_key, number_key, order_key
from shopify_xero_pipeline.state.records import MappedRecord, MirrorRecord
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.elements import Element
from shopify_xero_pipeline.xero.models import Contact, Kind

DOCUMENTS = (Kind.INVOICE, Kind.CREDIT_NOTE)
MONEY = (Kind.PAYMENT, Kind.ALLOCATION)
KINDS_OF_PLAN = {Kind.PAYMENT: MONEY}
"""Kinds of the records in one plan, if they are more than its own kind."""

LISTING_KIND = {Kind.ITEM: Kind.ITEM, Kind.ALLOCATION: Kind.CREDIT_NOTE}
"""Kinds whose sweep lists all live records of a kind, so that an absent record is deleted."""


def posted_documents(store: StateStore, change_sets: Iterable[ChangeSet]) -> set[str]:
    """Return the Shopify ids of the posted documents among those of all money that plans write.

    Args:
        store: the state store.
        change_sets: plans of any kinds and days.
    """
    documents = documents_of_money(change_sets)
    return {shopify_id for kind in DOCUMENTS for shopify_id in store.mapped(kind, documents)}


class PlanInputs:
    """Reads the stored records of plans.

    Args:
        store: the state store.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def contacts(self, contacts: Sequence[Contact]) -> KnownRecords:
        """Return the known Contacts with the ids, numbers, names or e-mails of these.

        Args:
            contacts: the desired Contacts.
        """
        names = {name_key(contact.name) for contact in contacts}
        keys = {number_key(contact.contact_number) for contact in contacts}
        keys |= names | {email_key(contact.email) for contact in contacts if contact.email}
        mapped = self._store.mapped(Kind.CONTACT, {contact.shopify_id for contact in contacts})
        return self._known([Kind.CONTACT], [*mapped.values(), *self._store.mapped_by_key(Kind.CONTACT, names)], keys)

    def items(self, variants: Iterable[Variant]) -> KnownRecords:
        """Return the known Items of variants, and those that have a code which these variants may get.

        Args:
            variants: the variants of the plan.
        """
        codes = {variant.legacy_id: candidate_codes(variant) for variant in variants}
        keys = {number_key(code) for variant_codes in codes.values() for code in variant_codes}
        mapped = self._store.mapped(Kind.ITEM, codes.keys())
        return self._known([Kind.ITEM], [*mapped.values(), *self._store.mapped_by_key(Kind.ITEM, keys)], keys)

    def of_orders(self, kinds: Iterable[Kind], books: Sequence[OrderBooks]) -> dict[Kind, KnownRecords]:
        """Return the known records of orders and of their numbers, for each kind of plan.

        Args:
            kinds: INVOICE, CREDIT_NOTE or PAYMENT, which includes Allocations.
            books: the books of the orders.
        """
        mapped = self._store.mapped_of_orders([order.order_id for order in books])
        return {kind: self._known_of_plan(kind, mapped, books) for kind in kinds}

    def contacts_of_documents(self, books: Iterable[OrderBooks]) -> KnownRecords:
        """Return the known Contacts of the documents of orders, with the Contacts into which they were merged.

        Args:
            books: the books of the orders.
        """
        contact_ids = {document.contact_id for order in books for document in order.documents}
        mapped = self._store.mapped(Kind.CONTACT, contact_ids)
        rows = contacts_with_merges(self._store, [row.xero_id for row in mapped.values()])
        return KnownRecords(mapped, [*rows.values()])

    def posted_records(self, order_ids: Collection[str]) -> dict[str, PostedRecords]:
        """Return the posted records of orders, from the mapping, the journal and Xero.

        Args:
            order_ids: Shopify ids of the orders.
        """
        store = self._store
        ledgers = posted_records_by_order(store.mapped_of_orders(order_ids), store.frozen_of_orders(order_ids))
        documents = self._unmapped(DOCUMENTS, {order_key(order_id) for order_id in order_ids})
        numbers = {document.number for ledger in ledgers.values() for document in ledger.documents}
        numbers |= {row.natural_key for row in documents}
        money = self._unmapped(MONEY, {document_key(number) for number in numbers})
        if not documents and not money:
            return dict(ledgers)
        return include_unmapped_posted(ledgers, set(order_ids), [*documents, *money], self._numbers_of(documents))

    def documents_with_numbers(self, numbers: Collection[str]) -> list[MirrorRecord]:
        """Return the documents in Xero with some numbers, ours and those of people.

        Args:
            numbers: document numbers, in any case.
        """
        keys = {number_key(number) for number in numbers}
        return [row for kind in DOCUMENTS for row in self._store.mirror_by_key(kind, keys)]

    def mirror_of_orders(
        self, mapped: Sequence[MappedRecord], order_ids: Iterable[str]
    ) -> dict[Kind, list[MirrorRecord]]:
        """Return the documents and Payments in Xero that are mapped to orders or refer to them, by kind.

        Args:
            mapped: the mapping rows of the orders.
            order_ids: Shopify ids of the orders.
        """
        keys = {order_key(order_id) for order_id in order_ids}
        return {kind: [*self._mirrored(kind, mapped, keys).values()] for kind in LISTED}

    def _known_of_plan(self, kind: Kind, mapped: Iterable[MappedRecord], books: Sequence[OrderBooks]) -> KnownRecords:
        documents = [document for order in books for document in order.documents]
        if kind is Kind.PAYMENT:
            money = [record for order in books for record in (*order.payments, *order.allocations)]
            keys = {number_key(record.natural_key) for record in money}
            keys |= {document_key(document.number) for document in documents}
        else:
            keys = {number_key(document.number) for document in documents if document.kind is kind}
        kinds = KINDS_OF_PLAN.get(kind, (kind,))
        return self._known(kinds, [row for row in mapped if row.kind in kinds], keys)

    def _known(self, kinds: Sequence[Kind], mapped: Iterable[MappedRecord], keys: Collection[str]) -> KnownRecords:
        """Return mapping rows with the mirror rows of these and of keys, and with the owners of those mirror rows."""
        mapped, rows = list(mapped), list[MirrorRecord]()
        for kind in kinds:
            mirrored = self._mirrored(kind, mapped, keys)
            others = mirrored.keys() - {row.xero_id for row in mapped}
            mapped += self._store.mapped_by_xero_id(kind, others).values()
            rows += mirrored.values()
        listed = [kind for kind in kinds if kind in LISTING_KIND and self._store.mirror_swept_at(LISTING_KIND[kind])]
        return KnownRecords({row.shopify_id: row for row in mapped}, rows, listed)

    def _mirrored(self, kind: Kind, mapped: Iterable[MappedRecord], keys: Collection[str]) -> dict[str, MirrorRecord]:
        """Return the mirror rows of mapping rows and of keys, in the order of their Xero ids."""
        rows = self._store.mirror_by_xero_id(kind, [row.xero_id for row in mapped if row.kind == kind])
        rows |= {row.xero_id: row for row in self._store.mirror_by_key(kind, keys)}
        return dict(sorted(rows.items()))

    def _unmapped(self, kinds: Iterable[Kind], keys: Collection[str]) -> list[MirrorRecord]:
        return [row for kind in kinds for row in self._store.unmapped_by_key(kind, keys)]

    def _numbers_of(self, documents: Iterable[MirrorRecord]) -> Mapping[str, str]:
        """Return the ContactNumbers of the Contacts of documents, by the Xero id of the Contact."""
        contact_ids = {Element.from_row(row).contact_id or "" for row in documents}
        contacts = self._store.mirror_by_xero_id(Kind.CONTACT, contact_ids)
        return {xero_id: row.natural_key for xero_id, row in contacts.items()}
