"""The Accounting API's endpoints: which call goes to which rules, and the scopes it needs.

No rule is here, and nothing of HTTP but methods and paths; authentication, limits and idempotency are `app.py`'s.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from shopify_xero_pipeline.sandbox.xero import contacts, items, payments
from shopify_xero_pipeline.sandbox.xero.allocations import SHAPE as ALLOCATION_SHAPE
from shopify_xero_pipeline.sandbox.xero.allocations import Allocations
from shopify_xero_pipeline.sandbox.xero.answers import Rejected, Reply, json_reply, not_emulated, not_found
from shopify_xero_pipeline.sandbox.xero.api_context import Call, Desk
from shopify_xero_pipeline.sandbox.xero.batch import (
    Shape,
    Written,
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
    """Every endpoint that is emulated, over one organisation."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._books = desk.books

    def endpoint(self, method: str, path: str) -> tuple["Endpoint", tuple[str, ...]]:
        """Return the endpoint of a path below `/api.xro/2.0/` and what the path names.

        Raises:
            Refused: 404 if there is no such thing, 501 if only the real API has it.
        """
        for endpoint in _ENDPOINTS:
            match = endpoint.pattern.fullmatch(path)
            if match and method in endpoint.methods:
                return endpoint, match.groups()
        raise not_emulated() if re.match(rf"({_NOT_EMULATED})\b", path) else not_found()

    def contacts(self, call: Call) -> Reply:
        """GET, PUT, POST /Contacts."""
        if call.method == "GET":
            return self._list_contacts(call)
        elements = read_elements(call, contacts.SHAPE)
        rules = Contacts(self._desk)
        rules.check_ids(elements)
        write = rules.create if call.method == "PUT" else rules.upsert
        return answer_batch(self._desk, call, contacts.SHAPE, elements, write)

    def contact(self, call: Call, key: str) -> Reply:
        """GET, POST /Contacts/{ContactID or ContactNumber}."""
        found = self._books.contacts.get(key.lower()) or self._books.contact_numbered(key)
        if found is None:
            raise not_found()
        if call.method == "GET":
            return self._one("Contacts", contacts.show(found))
        rules, contact = Contacts(self._desk), found
        return self._update(call, contacts.SHAPE, lambda sent: Written(contacts.show(rules.save(sent, contact))))

    def items(self, call: Call) -> Reply:
        """GET, PUT, POST /Items."""
        rules = Items(self._desk, self._desk.decimals(call))
        if call.method == "GET":
            listing = Listing(
                "Items",
                items.FIELDS,
                "ItemID",
                lambda item, _paged: rules.show(item),
                paged=False,
                others=frozenset({"unitdp"}),
            )
            return answer_list(self._desk, call, listing, self._books.items.values())
        write = rules.create if call.method == "PUT" else rules.upsert
        return answer_batch(self._desk, call, items.SHAPE, read_elements(call, items.SHAPE), write)

    def item(self, call: Call, key: str) -> Reply:
        """GET, POST, DELETE /Items/{ItemID or Code}."""
        rules = Items(self._desk, self._desk.decimals(call))
        found: Item | None = self._books.items.get(key.lower()) or self._books.item_coded(key)
        if found is None:
            raise not_found()
        if call.method == "DELETE":
            self._books.drop_item(found)
            return Reply(204)
        if call.method == "GET":
            return self._one("Items", rules.show(found))
        named = {"ItemID": found.id}
        return self._update(call, items.SHAPE, lambda sent: rules.upsert(sent | named))

    def invoices(self, call: Call) -> Reply:
        """GET, PUT, POST /Invoices."""
        return self._documents(call, INVOICE, INVOICE_SHAPE)

    def invoice(self, call: Call, key: str) -> Reply:
        """GET, POST /Invoices/{InvoiceID or InvoiceNumber}."""
        return self._document(call, key, INVOICE, INVOICE_SHAPE)

    def credit_notes(self, call: Call) -> Reply:
        """GET, PUT, POST /CreditNotes."""
        return self._documents(call, CREDIT_NOTE, CREDIT_NOTE_SHAPE)

    def credit_note(self, call: Call, key: str) -> Reply:
        """GET, POST /CreditNotes/{CreditNoteID or CreditNoteNumber}."""
        return self._document(call, key, CREDIT_NOTE, CREDIT_NOTE_SHAPE)

    def allocations(self, call: Call, key: str) -> Reply:
        """GET, PUT /CreditNotes/{id}/Allocations."""
        rules = Allocations(self._desk, self._found(key, CREDIT_NOTE))
        if call.method == "GET":
            return json_reply(envelope(self._desk) | {"Allocations": rules.show_all()})
        elements = read_elements(call, ALLOCATION_SHAPE)
        return answer_batch(self._desk, call, ALLOCATION_SHAPE, elements, rules.create)

    def allocation(self, _call: Call, key: str, allocation_id: str) -> Reply:
        """DELETE /CreditNotes/{id}/Allocations/{AllocationID}."""
        credit_note = self._found(key, CREDIT_NOTE)
        found = self._books.allocations.get(allocation_id.lower())
        if found is None or found.credit_note_id != credit_note.id:
            raise not_found()
        try:
            shown = Allocations(self._desk, credit_note).delete(found)
            collected = self._desk.options.allocation_deletion == "collection"
            return json_reply(envelope(self._desk) | {"Allocations": [shown]} if collected else shown)
        except Rejected as rejected:
            messages = [{"Message": message} for message in rejected.messages]
            element = {"AllocationID": found.id, "ValidationErrors": messages}
            return json_reply(validation_exception([element]), 400)

    def payments(self, call: Call) -> Reply:
        """GET, PUT (many), POST (one) /Payments."""
        rules = Payments(self._desk)
        if call.method == "GET":
            getters = payments.fields(self._desk)
            listing = Listing("Payments", getters, "PaymentID", lambda payment, _paged: rules.show(payment))
            return answer_list(self._desk, call, listing, self._books.payments.values())
        single = call.method == "POST"
        elements = read_elements(call, payments.SHAPE)[: 1 if single else None]
        return answer_batch(self._desk, call, payments.SHAPE, elements, rules.create, single=single)

    def payment(self, call: Call, key: str) -> Reply:
        """GET, POST (delete) /Payments/{PaymentID}."""
        rules = Payments(self._desk)
        found: Payment | None = self._books.payments.get(key.lower())
        if found is None:
            raise not_found()
        if call.method == "GET":
            return self._one("Payments", rules.show(found))
        payment = found
        return self._update(call, payments.SHAPE, lambda sent: rules.delete(payment, sent))

    def history(self, call: Call, kind: str, key: str) -> Reply:
        """GET, PUT /{Resource}/{id}/History."""
        return answer_history(self._desk, call, kind, key)

    def settings(self, call: Call, kind: str, key: str | None) -> Reply:
        """GET /Accounts, /Currencies, /Organisation, /TaxRates."""
        return answer_settings(self._desk, call, kind, key)

    def _list_contacts(self, call: Call) -> Reply:
        archived = is_set(call, "includearchived")
        kept = [one for one in self._books.contacts.values() if archived or one.status != "ARCHIVED"]
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
        return answer_list(self._desk, call, listing, [one for one in kept if _mentions(one, term)])

    def _documents(self, call: Call, family: Family, shape: Shape) -> Reply:
        if call.method == "GET":
            return self._list_documents(call, family)
        rules = Documents(self._desk, family, self._desk.decimals(call))
        views = DocumentViews(self._desk, self._desk.decimals(call))
        save = rules.create if call.method == "PUT" else rules.upsert

        def write(sent: Json) -> Written:
            document = save(sent)
            return Written(views.full(document, written=True), rules.warnings(sent, document))

        return answer_batch(self._desk, call, shape, read_elements(call, shape), write)

    def _list_documents(self, call: Call, family: Family) -> Reply:
        views = DocumentViews(self._desk, self._desk.decimals(call))
        full_lines = not is_set(call, "summaryonly")
        lists = {"IDs": "InvoiceID", "InvoiceNumbers": "InvoiceNumber", "Statuses": "Status"}
        lists |= {"ContactIDs": "Contact.ContactID"}
        invoices = family is INVOICE
        listing = Listing(
            "Invoices" if invoices else "CreditNotes",
            document_fields(self._desk, family.number_field, family.id_field),
            family.id_field,
            lambda document, paged: views.listed(document, lines=paged and full_lines),
            lists=lists if invoices else None,
            others=_INVOICE_PARAMETERS if invoices else frozenset({"unitdp"}),
        )
        kept = [document for document in self._books.documents.values() if document.type == family.type]
        return answer_list(self._desk, call, listing, kept)

    def _document(self, call: Call, key: str, family: Family, shape: Shape) -> Reply:
        views = DocumentViews(self._desk, self._desk.decimals(call))
        found = self._found(key, family)
        if call.method == "GET":
            return self._one(shape.collection, views.full(found))
        rules = Documents(self._desk, family, self._desk.decimals(call))
        named = {family.id_field: found.id}
        return self._update(call, shape, lambda sent: Written(views.full(rules.upsert(sent | named), written=True)))

    def _found(self, key: str, family: Family) -> Document:
        found = self._books.documents.get(key.lower()) if is_guid(key) else None
        found = found or self._books.document_numbered(family.type, key)
        if found is None or found.type != family.type:
            raise not_found()
        return found

    def _one(self, collection: str, shown: Json) -> Reply:
        return json_reply(envelope(self._desk) | {collection: [shown]})

    def _update(self, call: Call, shape: Shape, write: Callable[[Json], Written]) -> Reply:
        """Answer a POST to one record, which does not know `summarizeErrors`."""
        elements = read_elements(call, shape)[:1]
        return answer_batch(self._desk, call, shape, elements, write, single=True)


@dataclass(frozen=True)
class Endpoint:
    """A path pattern below `/api.xro/2.0/` in any letters, its methods, scopes (reading also takes `.read`), answer."""

    pattern: re.Pattern[str]
    methods: tuple[str, ...]
    scope: tuple[str, ...]
    answer: Callable[..., Reply]

    def scopes(self, method: str) -> tuple[str, ...]:
        """Return the scopes of which one is needed."""
        reading = tuple(f"{scope}.read" for scope in self.scope) if method == "GET" else ()
        return self.scope + reading


def _endpoint(path: str, methods: str, scope: str, answer: Callable[..., Reply]) -> Endpoint:
    scopes = tuple(f"accounting.{name}" for name in scope.split())
    return Endpoint(re.compile(path.replace("{}", "([^/]+)"), re.IGNORECASE), tuple(methods.split()), scopes, answer)


_INVOICE_PARAMETERS = frozenset({"unitdp", "createdbymyapp", "includearchived", "summaryonly"})
_DATED = "Contacts|Items|Invoices|CreditNotes|Payments"
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
    _endpoint(f"({_DATED})/{{}}/History", "GET PUT", "contacts invoices payments settings", Api.history),
    _endpoint("(Accounts|Currencies|Organisation|TaxRates)(?:/([^/]+))?", "GET", "settings", Api.settings),
]


def _mentions(contact: Contact, term: str) -> bool:
    """Tell whether a contact matches `searchTerm`."""
    texts = (contact.texts.get(name, "") for name in ("FirstName", "LastName", "CompanyNumber", "EmailAddress"))
    return any(term in text.casefold() for text in (contact.name, contact.number, *texts))
