"""The endpoints of the Accounting API with their rules and scopes.

The rules are in the modules of the records; authentication, limits and idempotency are in `app.py`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from shopify_xero_pipeline.sandbox.xero import contacts, items, payments
from shopify_xero_pipeline.sandbox.xero.allocations import SHAPE as ALLOCATION_SHAPE
from shopify_xero_pipeline.sandbox.xero.allocations import Allocations
from shopify_xero_pipeline.sandbox.xero.answers import Rejected, Reply, json_reply, not_emulated, not_found
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext, Call
from shopify_xero_pipeline.sandbox.xero.batch import (
    SavedRecord,
    Shape,
    answer_batch,
    envelope,
    is_guid,
    read_elements,
    validation_exception,
)
from shopify_xero_pipeline.sandbox.xero.contacts import Contacts
from shopify_xero_pipeline.sandbox.xero.document_views import CREDIT_NOTE_SHAPE, INVOICE_SHAPE, DocumentViews
from shopify_xero_pipeline.sandbox.xero.document_views import fields as document_fields
from shopify_xero_pipeline.sandbox.xero.documents import CREDIT_NOTE, INVOICE, Documents, Family
from shopify_xero_pipeline.sandbox.xero.history import answer_history
from shopify_xero_pipeline.sandbox.xero.items import Items
from shopify_xero_pipeline.sandbox.xero.payments import Payments
from shopify_xero_pipeline.sandbox.xero.reads import Listing, answer_list, is_set
from shopify_xero_pipeline.sandbox.xero.records import Contact, Document, Item, Payment
from shopify_xero_pipeline.sandbox.xero.settings import answer_settings
from shopify_xero_pipeline.sandbox.xero.wire import Json

_NOT_EMULATED = (
    "BankTransactions|BankTransfers|BatchPayments|BrandingThemes|Budgets|ContactGroups|Employees|ExpenseClaims|Journals"
    "|LinkedTransactions|ManualJournals|Overpayments|PaymentServices|Prepayments|PurchaseOrders|Quotes|Receipts"
    "|RepeatingInvoices|Reports|Setup|TrackingCategories|Users"
)


class Api:
    """All emulated endpoints over one organisation."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._books = context.books

    def endpoint(self, method: str, path: str) -> tuple["Endpoint", tuple[str, ...]]:
        """Return the endpoint of a path below `/api.xro/2.0/`, and the path's parameters.

        Raises:
            Refused: 404 for an unknown path, 501 for an endpoint of the real API only.
        """
        for endpoint in _ENDPOINTS:
            match = endpoint.pattern.fullmatch(path)
            if match and method in endpoint.methods:
                return endpoint, match.groups()
        raise not_emulated() if re.match(rf"({_NOT_EMULATED})\b", path) else not_found()

    def contacts(self, call: Call) -> Reply:
        """Answer GET, PUT and POST /Contacts."""
        if call.method == "GET":
            return self._list_contacts(call)
        elements = read_elements(call, contacts.SHAPE)
        rules = Contacts(self._context)
        rules.check_ids(elements)
        write = rules.create if call.method == "PUT" else rules.upsert
        return answer_batch(self._context, call, contacts.SHAPE, elements, write)

    def contact(self, call: Call, key: str) -> Reply:
        """Answer GET and POST /Contacts/{ContactID or ContactNumber}.

        Raises:
            Refused: 404 for an unknown contact.
        """
        contact = self._books.contacts.get(key.lower()) or self._books.contact_numbered(key)
        if contact is None:
            raise not_found()
        if call.method == "GET":
            return self._reply("Contacts", contacts.show(contact))
        rules = Contacts(self._context)
        return self._update(call, contacts.SHAPE, lambda sent: SavedRecord(contacts.show(rules.save(sent, contact))))

    def items(self, call: Call) -> Reply:
        """Answer GET, PUT and POST /Items."""
        rules = Items(self._context, self._context.decimals(call))
        if call.method == "GET":
            listing = Listing(
                "Items",
                items.FIELDS,
                "ItemID",
                lambda item, _paged: rules.show(item),
                paged=False,
                others=frozenset({"unitdp"}),
            )
            return answer_list(self._context, call, listing, self._books.items.values())
        write = rules.create if call.method == "PUT" else rules.upsert
        return answer_batch(self._context, call, items.SHAPE, read_elements(call, items.SHAPE), write)

    def item(self, call: Call, key: str) -> Reply:
        """Answer GET, POST and DELETE /Items/{ItemID or Code}.

        Raises:
            Refused: 404 for an unknown item.
        """
        rules = Items(self._context, self._context.decimals(call))
        item: Item | None = self._books.items.get(key.lower()) or self._books.item_coded(key)
        if item is None:
            raise not_found()
        if call.method == "DELETE":
            self._books.drop_item(item)
            return Reply(204)
        if call.method == "GET":
            return self._reply("Items", rules.show(item))
        identity = {"ItemID": item.id}
        return self._update(call, items.SHAPE, lambda sent: rules.upsert(sent | identity))

    def invoices(self, call: Call) -> Reply:
        """Answer GET, PUT and POST /Invoices."""
        return self._documents(call, INVOICE, INVOICE_SHAPE)

    def invoice(self, call: Call, key: str) -> Reply:
        """Answer GET and POST /Invoices/{InvoiceID or InvoiceNumber}."""
        return self._document(call, key, INVOICE, INVOICE_SHAPE)

    def credit_notes(self, call: Call) -> Reply:
        """Answer GET, PUT and POST /CreditNotes."""
        return self._documents(call, CREDIT_NOTE, CREDIT_NOTE_SHAPE)

    def credit_note(self, call: Call, key: str) -> Reply:
        """Answer GET and POST /CreditNotes/{CreditNoteID or CreditNoteNumber}."""
        return self._document(call, key, CREDIT_NOTE, CREDIT_NOTE_SHAPE)

    def allocations(self, call: Call, key: str) -> Reply:
        """Answer GET and PUT /CreditNotes/{id}/Allocations."""
        rules = Allocations(self._context, self._find_document(key, CREDIT_NOTE))
        if call.method == "GET":
            return json_reply(envelope(self._context) | {"Allocations": rules.show_all()})
        elements = read_elements(call, ALLOCATION_SHAPE)
        return answer_batch(self._context, call, ALLOCATION_SHAPE, elements, rules.create)

    def allocation(self, _call: Call, key: str, allocation_id: str) -> Reply:
        """Answer DELETE /CreditNotes/{id}/Allocations/{AllocationID}.

        Args:
            _call: the call.
            key: the id or number of the Credit Note.
            allocation_id: the AllocationID.

        Raises:
            Refused: 404 for an unknown Credit Note or Allocation.
        """
        credit_note = self._find_document(key, CREDIT_NOTE)
        allocation = self._books.allocations.get(allocation_id.lower())
        if allocation is None or allocation.credit_note_id != credit_note.id:
            raise not_found()
        try:
            deleted = Allocations(self._context, credit_note).delete(allocation)
            in_collection = self._context.options.allocation_deletion == "collection"
            return json_reply(envelope(self._context) | {"Allocations": [deleted]} if in_collection else deleted)
        except Rejected as rejected:
            messages = [{"Message": message} for message in rejected.messages]
            element = {"AllocationID": allocation.id, "ValidationErrors": messages}
            return json_reply(validation_exception([element]), 400)

    def payments(self, call: Call) -> Reply:
        """Answer GET, PUT (many) and POST (one) /Payments."""
        rules = Payments(self._context)
        if call.method == "GET":
            getters = payments.fields(self._context)
            listing = Listing("Payments", getters, "PaymentID", lambda payment, _paged: rules.show(payment))
            return answer_list(self._context, call, listing, self._books.payments.values())
        single = call.method == "POST"
        elements = read_elements(call, payments.SHAPE)[: 1 if single else None]
        return answer_batch(self._context, call, payments.SHAPE, elements, rules.create, single=single)

    def payment(self, call: Call, key: str) -> Reply:
        """Answer GET and POST (delete) /Payments/{PaymentID}.

        Raises:
            Refused: 404 for an unknown payment.
        """
        rules = Payments(self._context)
        payment: Payment | None = self._books.payments.get(key.lower())
        if payment is None:
            raise not_found()
        if call.method == "GET":
            return self._reply("Payments", rules.show(payment))
        return self._update(call, payments.SHAPE, lambda sent: rules.delete(payment, sent))

    def history(self, call: Call, kind: str, key: str) -> Reply:
        """Answer GET and PUT /{Resource}/{id}/History.

        Args:
            call: the call.
            kind: the resource in the path.
            key: the record's id.
        """
        return answer_history(self._context, call, kind, key)

    def settings(self, call: Call, kind: str, key: str | None) -> Reply:
        """Answer GET /Accounts, /Currencies, /Organisation and /TaxRates.

        Args:
            call: the call.
            kind: the resource in the path.
            key: the AccountID, or None.
        """
        return answer_settings(self._context, call, kind, key)

    def _list_contacts(self, call: Call) -> Reply:
        archived = is_set(call, "includearchived")
        matches = [contact for contact in self._books.contacts.values() if archived or contact.status != "ARCHIVED"]
        term = call.query.get("searchterm", "").casefold()
        brief = is_set(call, "summaryonly")
        listing = Listing(
            "Contacts",
            contacts.FIELDS,
            "ContactID",
            lambda contact, paged: contacts.show(contact, brief=brief, whole=paged),
            lists={"IDs": "ContactID"},
            others=frozenset({"includearchived", "summaryonly", "searchterm"}),
        )
        return answer_list(self._context, call, listing, [contact for contact in matches if _mentions(contact, term)])

    def _documents(self, call: Call, family: Family, shape: Shape) -> Reply:
        if call.method == "GET":
            return self._list_documents(call, family)
        rules = Documents(self._context, family, self._context.decimals(call))
        views = DocumentViews(self._context, self._context.decimals(call))
        save = rules.create if call.method == "PUT" else rules.upsert

        def write(sent: Json) -> SavedRecord:
            document = save(sent)
            return SavedRecord(views.full(document, written=True), rules.warnings(sent, document))

        return answer_batch(self._context, call, shape, read_elements(call, shape), write)

    def _list_documents(self, call: Call, family: Family) -> Reply:
        views = DocumentViews(self._context, self._context.decimals(call))
        full_lines = not is_set(call, "summaryonly")
        lists = {"IDs": "InvoiceID", "InvoiceNumbers": "InvoiceNumber", "Statuses": "Status"}
        lists |= {"ContactIDs": "Contact.ContactID"}
        invoices = family is INVOICE
        listing = Listing(
            "Invoices" if invoices else "CreditNotes",
            document_fields(self._context, family.number_field, family.id_field),
            family.id_field,
            lambda document, paged: views.listed(document, lines=paged and full_lines),
            lists=lists if invoices else None,
            others=_INVOICE_PARAMETERS if invoices else frozenset({"unitdp"}),
        )
        documents = [document for document in self._books.documents.values() if document.type == family.type]
        return answer_list(self._context, call, listing, documents)

    def _document(self, call: Call, key: str, family: Family, shape: Shape) -> Reply:
        views = DocumentViews(self._context, self._context.decimals(call))
        document = self._find_document(key, family)
        if call.method == "GET":
            return self._reply(shape.collection, views.full(document))
        rules = Documents(self._context, family, self._context.decimals(call))
        identity = {family.id_field: document.id}
        return self._update(
            call, shape, lambda sent: SavedRecord(views.full(rules.upsert(sent | identity), written=True))
        )

    def _find_document(self, key: str, family: Family) -> Document:
        document = self._books.documents.get(key.lower()) if is_guid(key) else None
        document = document or self._books.document_numbered(family.type, key)
        if document is None or document.type != family.type:
            raise not_found()
        return document

    def _reply(self, collection: str, element: Json) -> Reply:
        return json_reply(envelope(self._context) | {collection: [element]})

    def _update(self, call: Call, shape: Shape, write: Callable[[Json], SavedRecord]) -> Reply:
        """Answer a POST to one record, which has no parameter `summarizeErrors`."""
        elements = read_elements(call, shape)[:1]
        return answer_batch(self._context, call, shape, elements, write, single=True)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: case-insensitive path below `/api.xro/2.0/`, methods, scopes (GET also accepts `.read`), handler."""

    pattern: re.Pattern[str]
    methods: tuple[str, ...]
    scope: tuple[str, ...]
    answer: Callable[..., Reply]

    def scopes(self, method: str) -> tuple[str, ...]:
        """Return the scopes of which one is enough."""
        reading = tuple(f"{scope}.read" for scope in self.scope) if method == "GET" else ()
        return self.scope + reading


def _endpoint(path: str, methods: str, scope: str, answer: Callable[..., Reply]) -> Endpoint:
    scopes = tuple(f"accounting.{name}" for name in scope.split())
    return Endpoint(re.compile(path.replace("{}", "([^/]+)"), re.IGNORECASE), tuple(methods.split()), scopes, answer)


_INVOICE_PARAMETERS = frozenset({"unitdp", "createdbymyapp", "includearchived", "summaryonly"})
_WITH_HISTORY = "Contacts|Items|Invoices|CreditNotes|Payments"
_ENDPOINTS = [
    _endpoint("Contacts", "GET PUT POST", "contacts", Api.contacts),
    _endpoint("Contacts/{}", "GET POST", "contacts", Api.contact),
    _endpoint("Items", "GET PUT POST", "settings invoices", Api.items),
    _endpoint("Items/{}", "GET POST DELETE", "settings invoices", Api.item),
    _endpoint("Invoices", "GET PUT POST", "invoices", Api.invoices),
    _endpoint("Invoices/{}", "GET POST", "invoices", Api.invoice),
    _endpoint("CreditNotes", "GET PUT POST", "invoices", Api.credit_notes),
    _endpoint("CreditNotes/{}", "GET POST", "invoices", Api.credit_note),
    _endpoint("CreditNotes/{}/Allocations", "GET PUT", "invoices", Api.allocations),
    _endpoint("CreditNotes/{}/Allocations/{}", "DELETE", "invoices", Api.allocation),
    _endpoint("Payments", "GET PUT POST", "payments", Api.payments),
    _endpoint("Payments/{}", "GET POST", "payments", Api.payment),
    _endpoint(f"({_WITH_HISTORY})/{{}}/History", "GET PUT", "contacts invoices payments settings", Api.history),
    _endpoint("(Accounts|Currencies|Organisation|TaxRates)(?:/([^/]+))?", "GET", "settings", Api.settings),
]


def _mentions(contact: Contact, term: str) -> bool:
    """Return whether a contact matches `searchTerm`."""
    texts = (contact.texts.get(name, "") for name in ("FirstName", "LastName", "CompanyNumber", "EmailAddress"))
    return any(term in text.casefold() for text in (contact.name, contact.number, *texts))
