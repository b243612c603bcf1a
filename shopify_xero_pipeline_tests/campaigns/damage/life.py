"""A state store in use, and Xero beside it: records sent, requests lost, requests without a response.

A life is played once; each case of damage starts with copies of its files and of Xero's books.
"""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from shopify_xero_pipeline.sandbox.faults import FaultKind
from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.xero.models import AnyRecord
from shopify_xero_pipeline_tests.support.records import everything
from shopify_xero_pipeline_tests.support.world import SimulatedCrash, Tapped, World

ORDERS = 5
STORE, WITNESS, JOURNAL = "state.db", "state.db.witness", "state.db-journal"
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Life:
    """The start of a case.

    Attributes:
        files: the store and its witness at the end.
        copies: the same at earlier moments, by name, as a backup would contain them.
        torn: the store and its rollback journal after a crash in a transaction.
        books: Xero's books as JSON.
        now: the instant of the end.
        records: all records to write.
    """

    files: Files
    copies: Mapping[str, Files]
    torn: Files
    books: str
    now: datetime
    records: tuple[AnyRecord, ...]


def lived(folder: Path) -> Life:
    """Play a life: posted orders, a refusal, a response lost for good, a crash during a request."""
    folder.mkdir(parents=True)
    world, records = World(folder), everything(ORDERS)
    copies: dict[str, Files] = {"before anything was sent": _files(folder)}
    world.load(*records[:2])
    world.load(*records[:12])
    copies["after two orders"] = _files(folder)
    world.wait(1_000)
    world.fault(FaultKind.REFUSED, path="/Invoices", body="SH-1004", times=2)
    _during(world, "/Payments", lambda: copies.setdefault("while Payments were sent", _files(folder)))
    world.fault(FaultKind.SERVER_ERROR_AFTER_COMMIT, path="/Payments", method="PUT", times=1)
    world.load(*records[:22])
    copies["with an answer lost"] = _files(folder)
    world.wait(30)
    _die(world, records)
    return Life(_files(folder), copies, _torn(folder), world.books.to_json(), world.clock.now(), tuple(records))


def begin(life: Life, folder: Path, files: Files) -> World:
    """Return a world with these files instead of its own, and with the store closed.

    Args:
        life: the life, for Xero's books and the time.
        folder: an empty folder.
        files: the files by name.
    """
    folder.mkdir(parents=True)
    world = World(folder, books=XeroBooks.from_json(life.books), now=life.now)
    world.store.close()
    for path in folder.glob("state.db*"):
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return world


def _files(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("state.db*")) if path.suffix != ".lock"}


def _during(world: World, path: str, act: Callable[[], object]) -> None:
    """Act when the first request to a path is about to leave."""
    inner, done = world.transport, list[object]()

    def tap(request: httpx.Request) -> None:
        if path in request.url.path and request.method == "PUT" and not done:
            done.append(act())

    world.transport = Tapped(inner, tap)
    world.restart()


def _die(world: World, records: list[AnyRecord]) -> None:
    """Crash the process after Xero posted the Payments of the last order, before the response."""
    inner = world.transport

    class Dying(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = inner.handle_request(request)
            if "/Payments" in request.url.path and request.method == "PUT":
                raise SimulatedCrash
            return response

    world.transport = Dying()
    world.restart()
    try:
        world.load(*records)
    except SimulatedCrash:
        return
    raise AssertionError("the process did not crash")


def _torn(folder: Path) -> Files:
    """Return the files of a transaction that has spilled some of its pages and is not committed."""
    copy = folder / "torn"
    copy.mkdir()
    shutil.copy(folder / STORE, copy / STORE)
    shutil.copy(folder / WITNESS, copy / WITNESS)
    connection = sqlite3.connect(copy / STORE, isolation_level=None)
    try:
        connection.execute("PRAGMA cache_size=5")
        connection.execute("PRAGMA cache_spill=ON")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE operation SET reason = 'x' || reason, payload = payload || ' '")
        connection.execute("UPDATE entity_mapping SET payload = payload || ' ', xero_id = 'x' || xero_id")
        connection.execute("UPDATE batch SET state = 'sent'")
        return _files(copy)
    finally:
        connection.close()
