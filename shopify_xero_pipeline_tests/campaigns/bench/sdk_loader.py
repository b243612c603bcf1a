"""A loader on Xero's official SDK with one call a record, for comparison.

It writes the records of a sandbox's Xero into another, empty one. It makes no look-up, keeps no journal and retries
nothing, so that no loader of one call a record makes fewer calls.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import urllib3
from xero_python import accounting
from xero_python.api_client import ApiClient, Configuration
from xero_python.api_client.oauth2 import OAuth2Token

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.xero.app import xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.demo_company import TENANT_ID
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.sandbox.xero.records import Document, Line
from shopify_xero_pipeline_tests.campaigns.bench.call_counter import CallCounter
from shopify_xero_pipeline_tests.sandbox.xero.server import serving

UNLIMITED = 1_000_000_000


def count_calls(books: XeroBooks, earlier: Collection[str], clock: ManualClock) -> int:
    """Return the number of calls with which the SDK writes the records of an organisation, one a record.

    Args:
        books: the organisation with the records.
        earlier: ids of records in it that are not written.
        clock: the time of the empty organisation.
    """
    limits = XeroOptions(minute_limit=UNLIMITED, day_limit=UNLIMITED, app_minute_limit=UNLIMITED)
    counter = CallCounter(xero_app(XeroBooks(), clock, options=limits))
    with serving(counter) as url, _opened(url) as api:
        _Loader(api).load(books, earlier)
    return counter.xero.total()


@contextmanager
def _opened(url: str) -> Iterator[Any]:
    form = {"grant_type": "client_credentials", "client_id": "sandbox", "client_secret": "sandbox"}
    token = httpx.post(f"{url}/connect/token", data=form).json()
    configuration = Configuration(oauth2_token=OAuth2Token(client_id="sandbox", client_secret="sandbox"))
    client = ApiClient(configuration, oauth2_token_getter=lambda: token, oauth2_token_saver=lambda _token: None)
    client.rest_client.pool_manager.connection_pool_kw["retries"] = urllib3.Retry(0)
    api = accounting.AccountingApi(client)
    api.base_url = f"{url}/api.xro/2.0"
    yield api
    client.rest_client.pool_manager.clear()


class _Loader:
    """Writes records in the order of their references, and keeps the new ids by the ids in the source."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self._ids: dict[str, str] = {}

    def load(self, books: XeroBooks, earlier: Collection[str]) -> None:
        for contact in books.contacts.values():
            if contact.id not in earlier:
                wanted = accounting.Contact(name=contact.name, contact_number=contact.number)
                answer = self._api.create_contacts(TENANT_ID, accounting.Contacts(contacts=[wanted]))
                self._ids[contact.id] = answer.contacts[0].contact_id
        for document in books.documents.values():
            if document.id not in earlier:
                self._ids[document.id] = self._create_document(document)
        codes = {account["AccountID"]: account["Code"] for account in books.accounts}
        for payment in books.payments.values():
            if payment.id not in earlier:
                self._pay(books.documents[payment.document_id], codes[payment.account_id], payment)
        for allocation in books.allocations.values():
            if allocation.id not in earlier:
                self._allocate(allocation)

    def _create_document(self, document: Document) -> str:
        fields = {
            "contact": accounting.Contact(contact_id=self._ids[document.contact_id]),
            "date": document.date,
            "status": "AUTHORISED",
            "line_amount_types": accounting.LineAmountTypes(document.line_amount_types),
            "line_items": [_line(line) for line in document.lines],
            "reference": document.reference,
        }
        if document.is_credit_note:
            note = accounting.CreditNote(type=document.type, credit_note_number=document.number, **fields)
            answer = self._api.create_credit_notes(TENANT_ID, accounting.CreditNotes(credit_notes=[note]), unitdp=4)
            return str(answer.credit_notes[0].credit_note_id)
        invoice = accounting.Invoice(
            type=document.type, invoice_number=document.number, due_date=document.due_date, **fields
        )
        answer = self._api.create_invoices(TENANT_ID, accounting.Invoices(invoices=[invoice]), unitdp=4)
        return str(answer.invoices[0].invoice_id)

    def _pay(self, document: Document, account_code: str, payment: Any) -> None:
        document_id = self._ids[document.id]
        paid = (
            {"credit_note": accounting.CreditNote(credit_note_id=document_id)}
            if document.is_credit_note
            else {"invoice": accounting.Invoice(invoice_id=document_id)}
        )
        account = accounting.Account(code=account_code)
        wanted = accounting.Payment(account=account, date=payment.date, amount=payment.amount, **paid)
        self._api.create_payment(TENANT_ID, wanted)

    def _allocate(self, allocation: Any) -> None:
        invoice = accounting.Invoice(invoice_id=self._ids[allocation.invoice_id])
        wanted = accounting.Allocation(invoice=invoice, amount=allocation.amount, date=allocation.date)
        allocations = accounting.Allocations(allocations=[wanted])
        self._api.create_credit_note_allocation(TENANT_ID, self._ids[allocation.credit_note_id], allocations)


def _line(line: Line) -> Any:
    if line.quantity is None:
        return accounting.LineItem(description=line.description)
    return accounting.LineItem(
        description=line.description,
        quantity=line.quantity,
        unit_amount=line.unit_amount,
        account_code=line.account_code,
        tax_type=line.tax_type,
        tax_amount=line.tax_amount,
    )
