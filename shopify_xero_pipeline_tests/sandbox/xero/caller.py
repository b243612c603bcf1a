"""A small client of the sandbox's Xero for tests, and records to send with it."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.sandbox.faults import Faults
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.sandbox.xero.app import XeroSandbox, xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.human_edits import Person
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions

START = datetime(2026, 9, 21, 0, 0, tzinfo=UTC)
ZERO_GUID = "00000000-0000-0000-0000-000000000000"
ROOT = "https://api.xero.com/api.xro/2.0/"
TOKEN_URL = "https://identity.xero.com/connect/token"


class Caller:
    """A sandbox with a signed-in client; limits are wide unless options say otherwise."""

    def __init__(self, books: XeroBooks | None = None, **options: Any) -> None:
        self.clock = ManualClock(START)
        self.books = books or XeroBooks()
        self.options = XeroOptions(**{"minute_limit": 100_000, "day_limit": 100_000, **options})
        self.faults = Faults()
        app = xero_app(self.books, self.clock, options=self.options)
        self.sandbox: XeroSandbox = app.state.xero
        self.person = Person(self.books, self.clock, self.options)
        self.client = httpx.Client(
            transport=InProcessTransport(self.faults.wrap(app)), headers={"Accept": "application/json"}
        )
        self.sign_in()

    def token(self, **form: str) -> httpx.Response:
        return self.client.post(TOKEN_URL, data=form, auth=("sandbox", "sandbox"))

    def sign_in(self, scope: str = "") -> None:
        answer = self.token(grant_type="client_credentials", scope=scope).json()
        self.client.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def send(
        self, method: str, path: str, sent: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> httpx.Response:
        content = None if sent is None else json.dumps(sent, default=str)
        return self.client.request(method, ROOT + path, params=query or None, content=content, headers=headers)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        answer = self.send("GET", path, headers=headers, **query)
        assert answer.status_code == 200, answer.text
        return read(answer)

    def write(self, method: str, kind: str, *elements: Any, **query: Any) -> list[Any]:
        """Write a batch with summarizeErrors=false and return its elements."""
        query = {"summarizeErrors": "false", "unitdp": 4, **query}
        name = kind.rsplit("/", 1)[-1]
        answer = self.send(method, kind, {name: list(elements)}, **query)
        assert answer.status_code == 200, answer.text
        found: list[Any] = read(answer)[name]
        return found

    def put(self, kind: str, *elements: Any, **query: Any) -> list[Any]:
        return self.write("PUT", kind, *elements, **query)

    def post(self, kind: str, *elements: Any, **query: Any) -> list[Any]:
        return self.write("POST", kind, *elements, **query)

    def invoiced(self, number: str | None = "SH-1", **fields: Any) -> Any:
        """Create an invoice of 115.00 to Ann and return it."""
        return ok(self.put("Invoices", invoice(number, **fields)))

    def credited(self, number: str | None = "CR-1", **fields: Any) -> Any:
        """Create a credit note of 115.00 for Ann and return it."""
        return ok(self.put("CreditNotes", credit_note(number, **fields)))


def read(answer: httpx.Response) -> Any:
    return json.loads(answer.content, parse_float=Decimal)


def ok(elements: list[Any]) -> Any:
    """Return the only element, which must have been accepted."""
    (element,) = elements
    assert element.get("StatusAttributeString") == "OK", element
    return element


def messages(element: Any) -> list[str]:
    return [each["Message"] for each in element.get("ValidationErrors", [])]


def refusal(elements: list[Any]) -> list[str]:
    """Return the messages of the only element, which must have been refused."""
    (element,) = elements
    assert element["StatusAttributeString"] == "ERROR", element
    return messages(element)


def line(**fields: Any) -> dict[str, Any]:
    """One line of 100.00 on 200 Sales."""
    return {"Description": "Tea", "Quantity": 1, "UnitAmount": 100, "AccountCode": "200", "TaxType": "OUTPUT2"} | fields


def invoice(number: str | None = "SH-1", **fields: Any) -> dict[str, Any]:
    """An invoice of 100.00 + 15.00 GST."""
    numbered = {"InvoiceNumber": number} if number else {}
    days = {"Date": "2026-09-21", "DueDate": "2026-09-28"}
    head = {"Type": "ACCREC", "Status": "AUTHORISED", "Contact": {"Name": "Ann"}, "LineAmountTypes": "Exclusive"}
    return {**head, **numbered, **days, "LineItems": [line()], **fields}


def credit_note(number: str | None = "CR-1", **fields: Any) -> dict[str, Any]:
    """A credit note of 100.00 + 15.00 GST."""
    numbered = {"CreditNoteNumber": number} if number else {}
    head = {"Type": "ACCRECCREDIT", "Status": "AUTHORISED", "Contact": {"Name": "Ann"}, "LineAmountTypes": "Exclusive"}
    return {**head, **numbered, "Date": "2026-09-22", "LineItems": [line()], **fields}


def payment(invoice_number: str = "SH-1", amount: Any = "115.00", **fields: Any) -> dict[str, Any]:
    """A payment from the Shopify Payments clearing account."""
    named = {"Invoice": {"InvoiceNumber": invoice_number}, "Account": {"Code": "601"}}
    return {**named, "Date": "2026-09-22", "Amount": amount, "Reference": "shopify:1/1", **fields}


def refund(number: str = "CR-1", amount: Any = "115.00", **fields: Any) -> dict[str, Any]:
    """A refund of a credit note."""
    named = {"CreditNote": {"CreditNoteNumber": number}, "Account": {"Code": "601"}}
    return {**named, "Date": "2026-09-23", "Amount": amount, "Reference": "shopify:1/2", **fields}
