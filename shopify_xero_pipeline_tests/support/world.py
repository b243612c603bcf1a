"""A loader with the sandbox's Xero: one organisation, one store, one clock."""

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx

from shopify_xero_pipeline.changes.compare import build_change
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadReport
from shopify_xero_pipeline.loading.loader import Loader
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind, Faults
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.sandbox.xero.app import XeroSandbox, xero_app
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.human_edits import Person
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.auth import XeroCredentials
from shopify_xero_pipeline.xero.client import XeroClient
from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import AnyRecord, Kind
from shopify_xero_pipeline_tests.support.records import DAY

START = datetime(2026, 9, 22, 0, 0, tzinfo=UTC)
FAMILIES = ([Kind.CONTACT], [Kind.ITEM], [Kind.INVOICE], [Kind.CREDIT_NOTE], [Kind.PAYMENT, Kind.ALLOCATION])
CREDENTIALS = XeroCredentials(client_id="sandbox", client_secret="sandbox")


class SimulatedCrash(BaseException):
    """A crash of the process, without any clean-up; no handler catches it."""


class World:
    def __init__(self, folder: Path, *, books: XeroBooks | None = None, now: datetime = START, **options: Any) -> None:
        self.clock = ManualClock(now)
        self.books = books or XeroBooks()
        self.faults = Faults()
        self.options = XeroOptions(**{"refuse_unknown_parameters": True, **options})
        app = xero_app(self.books, self.clock, options=self.options)
        self.xero: XeroSandbox = app.state.xero
        self.transport: httpx.BaseTransport = InProcessTransport(self.faults.wrap(app))
        self.person = Person(self.books, self.clock, self.options)
        self.url = f"sqlite:///{folder}/state.db"
        self.seed = 0
        self.restart()
        self.trust()

    def restart(self) -> None:
        """Start a new process on the same database."""
        self.seed += 1
        rng = random.Random(self.seed)
        self.store = StateStore(self.url, self.clock)
        calls = self.store.calls
        self.client = XeroClient(CREDENTIALS, clock=self.clock, transport=self.transport, rng=rng, calls=calls)
        self.loader = Loader(self.client, self.store, self.clock, rng)
        self.mirror = Mirror(self.client, self.store, self.clock)

    def trust(self) -> None:
        """Mark the store as the first one of this organisation, which saves the calls to verify it."""
        doubt = self.store.send_watermark.find_issue()
        if doubt is not None:
            self.store.send_watermark.trust(doubt)

    def load(self, *records: AnyRecord, **plan: Any) -> LoadReport:
        """Load all families at once, for speed; production loads one family after the other."""
        families = [[record for record in records if record.kind in kinds] for kinds in FAMILIES]
        return self.loader.load([change_set(*family, **plan) for family in families if family], f"run-{self.seed}")

    def fault(self, kind: FaultKind, **rule: Any) -> Fault:
        return self.faults.add(Fault(kind=kind, **rule))

    def enter_contact(self, **fields: str) -> str:
        """Enter a Contact as a person does; return its ContactID."""
        body = json.dumps({"Contacts": [fields]}).encode()
        answer = self.client.write("PUT", "/Contacts", body, key=f"by hand {fields}"[:128], guard=lambda: None)
        return str(answer.parsed()["Contacts"][0]["ContactID"])

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def live(self, kind: Kind) -> list[Any]:
        gone = {"VOIDED", "DELETED"}
        documents = self.books.documents.values()
        records: dict[Kind, list[Any]] = {
            Kind.CONTACT: list(self.books.contacts.values()),
            Kind.ITEM: list(self.books.items.values()),
            Kind.INVOICE: [document for document in documents if not document.is_credit_note],
            Kind.CREDIT_NOTE: [document for document in documents if document.is_credit_note],
            Kind.PAYMENT: list(self.books.payments.values()),
            Kind.ALLOCATION: list(self.books.allocations.values()),
        }
        return [record for record in records[kind] if getattr(record, "status", "") not in gone]


class Tapped(httpx.BaseTransport):
    """A transport that passes each request to a function before it leaves; the function may raise."""

    def __init__(self, inner: httpx.BaseTransport, tap: Callable[[httpx.Request], None]) -> None:
        self._inner = inner
        self._tap = tap

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._tap(request)
        return self._inner.handle_request(request)


def outcomes(report: LoadReport) -> list[str]:
    return [result.outcome.value for result in report.results]


def counted(report: LoadReport) -> dict[str, int]:
    return {outcome.value: count for outcome in LoadOutcome if (count := report.count(outcome))}


def change(record: AnyRecord, action: Action = Action.CREATE, xero_id: str | None = None) -> Change:
    return build_change(action, record, xero_id=xero_id)


def change_set(
    *records: AnyRecord, day: date = DAY, action: Action = Action.CREATE, xero_id: str | None = None
) -> ChangeSet:
    kind = Kind.PAYMENT if records[0].kind is Kind.ALLOCATION else records[0].kind
    return ChangeSet(kind=kind, day=day, changes=tuple(change(record, action, xero_id) for record in records))
