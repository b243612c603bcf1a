"""Secrets and personal data: markers planted in all of them are in no log, no event, no metadata and no output.

A fortnight is carried through Dagster with failures of all kinds, its instance on disk, everything logged that can be.
"""

import json
import logging
import pickle
import random
import sqlite3
import stat
import traceback
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from rich.console import Console
from upath import UPath

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.cli import output
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.defs.metadata import records
from shopify_xero_pipeline.pipeline.connections import Connections
from shopify_xero_pipeline.pipeline.sync import SyncService
from shopify_xero_pipeline.sandbox.app import build_sandbox
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.sandbox.shopify.options import ShopifyOptions
from shopify_xero_pipeline.sandbox.transport import InProcessTransport
from shopify_xero_pipeline.sandbox.xero.options import XeroOptions
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline_tests.support.markers import PERSONAL, SECRET, Captured, MarkedShop, Overhearing, searched
from shopify_xero_pipeline_tests.support.markers import found_in as occurring
from shopify_xero_pipeline_tests.support.stage import ADDRESS, BOOKS, at
from shopify_xero_pipeline_tests.xero.test_oauth_login import Browser

pytestmark = pytest.mark.campaign

FIRST, LAST = date(2026, 9, 21), date(2026, 10, 4)
LOGGERS = ("shopify_xero_pipeline", "shopify_xero_calls", "httpx", "httpcore", "dagster")
SECRETS = {
    "SHOPIFY_CLIENT_SECRET": f"{SECRET}shopifyclientsecret",
    "XERO_CLIENT_SECRET": f"{SECRET}xeroclientsecret",
    "TOKEN_KEY": f"{SECRET}" + "A" * 39 + "=",
}
DAGSTER = """
telemetry: {enabled: false}
python_logs: {managed_python_loggers: [shopify_xero_pipeline], python_log_level: DEBUG}
"""


class Marked:
    """The whole house with markers in it; `said` is what the commands printed and wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.said = folder, folder / "home", b""
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text(DAGSTER)
        self.clock = ManualClock(at(LAST + timedelta(days=1)))
        self.shop = MarkedShop(GeneratedShop(1, opened=FIRST))
        self.sandbox = build_sandbox(
            clock=self.clock,
            source=self.shop,
            shopify_options=ShopifyOptions(client_secret=SECRETS["SHOPIFY_CLIENT_SECRET"]),
            xero_options=XeroOptions(client_secret=SECRETS["XERO_CLIENT_SECRET"]),
        )
        self.transport = Overhearing(InProcessTransport(self.sandbox.asgi))
        self.environ = {
            "SHOPIFY_BASE_URL": ADDRESS,
            "XERO_BASE_URL": ADDRESS,
            "STATE_URL": f"sqlite:///{folder / 'state.db'}",
            "ASSET_STORAGE": str(folder / "assets"),
            "BOOKS_FILE": str(BOOKS),
            **SECRETS,
        }

    @property
    def planted(self) -> set[str]:
        return {PERSONAL, SECRET, *self.transport.tokens}

    @contextmanager
    def connected(self) -> Iterator[tuple[SyncService, UPath]]:
        settings = Settings.from_environment(self.environ, dotenv=None)
        sync_service = SyncService(
            Connections(
                settings,
                self.clock,
                shopify_transport=self.transport,
                xero_transport=self.transport,
                rng=random.Random(1),
            )
        )
        try:
            yield sync_service, UPath(settings.asset_storage)
        finally:
            sync_service.connections.close()

    def command(self, *arguments: str, code: int | None = None) -> str:
        """Run a command, keep all it says and writes, and return what it printed."""
        file = self.folder / "said.json"
        file.unlink(missing_ok=True)
        result = CliRunner().invoke(cli.main, [*arguments, "--json", str(file)])
        assert code in (None, result.exit_code), result.output
        self.said += result.output.encode() + repr(result.exception).encode()
        written = file.read_text() if file.exists() else ""
        self.said += written.encode()
        return result.output + written

    def fault(self, kind: FaultKind, **more: Any) -> Fault:
        return self.sandbox.faults.add(Fault(kind=kind, **more))

    def leaks(self, logs: Captured) -> dict[str, set[str]]:
        told = {"logs": occurring(logs.text.encode(), self.planted), "output": occurring(self.said, self.planted)}
        urls = {"urls": occurring("\n".join(self.transport.urls).encode(), self.planted)}
        return {name: found for name, found in (told | urls).items() if found} | searched(self.home, self.planted)

    def order(self, skip: int = 0) -> tuple[str, dict[str, Any]]:
        """Return the number and the customer of a paid order whose customer has a name and a street."""
        lives = self.shop.versions("orders", self.clock.now()).values()
        fitting = [
            (str(life[-1].node["name"]), life[-1].node["customer"])
            for life in lives
            if life[0].node["displayFinancialStatus"] == "PAID" and _is_named(life[-1].node["customer"])
        ]
        return fitting[skip]


def _is_named(customer: Any) -> bool:
    return bool(customer and customer["firstName"] and customer["defaultEmailAddress"] and customer["defaultAddress"])


@pytest.fixture
def logs() -> Iterator[Captured]:
    handler, levels = Captured(), {}
    for name in LOGGERS:
        logger = logging.getLogger(name)
        levels[name] = logger.level
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
    yield handler
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).removeHandler(handler)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Marked:
    house = Marked(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(house.home))
    monkeypatch.setattr(cli.options, "open_service", house.connected)
    monkeypatch.setattr(output, "console", Console(highlight=False, width=240))
    return house


def named(customer: dict[str, Any]) -> str:
    """What a message of Xero's might repeat of a customer."""
    mail, place = customer["defaultEmailAddress"]["emailAddress"], customer["defaultAddress"]
    return f"{customer['displayName']} ({customer['lastName']}, {mail}) of {place['address1']} {place['city']}"


def let_shopify_fail(house: Marked) -> None:
    """Shopify repeats what it was sent, and answers with records that cannot be read."""
    (token,) = [one for one in house.transport.tokens if one.startswith("shpat_")] or ["shpat_" + "0" * 32]
    echo = {"errors": [{"message": f"Bad token {token} for {PERSONAL}@example.com", "extensions": {"code": "X"}}]}
    node = {"id": "gid://shopify/Customer/1", "displayName": {PERSONAL: 1}, "updatedAt": f"{PERSONAL} yesterday"}
    page = {"nodes": [node], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    count = {"count": 1, "precision": "EXACT"}
    zone = {"id": "gid://shopify/Shop/1", "name": "S", "ianaTimezone": "Pacific/Auckland", "currencyCode": "NZD"}
    scopes = [{"handle": scope} for scope in ("read_customers", "read_orders", "read_products", "read_payment_terms")]
    lists = {name: {**page, "nodes": []} for name in ("orders", "products")} | {"customers": page}
    counts = {f"{name}Count": count for name in lists}
    odd = {"data": {"shop": zone, "currentAppInstallation": {"accessScopes": scopes}, **lists, **counts}}
    said = {"Content-Type": "application/json", "X-Shopify-API-Version": "2026-10"}
    house.fault(FaultKind.ANSWER, path="access_token", status=401, answer=json.dumps({"error": f"{SECRET}x"}))
    for asked, answer in (("query Orders", echo), ("query FirstPages", odd)):
        house.fault(FaultKind.ANSWER, path="graphql", body=asked, status=200, headers=said, answer=json.dumps(answer))
    for _ in range(2):
        assert "failed" in house.command("plan", "--day", str(FIRST), code=2)


def let_xero_fail(house: Marked) -> None:
    """Xero loses answers, gives half ones, repeats names in what it refuses, whole or in part."""
    refused, whole = house.order(), house.order(40)
    mail = house.order(20)[1]["defaultEmailAddress"]["emailAddress"]
    house.fault(
        FaultKind.REFUSED, path="/Contacts", body=mail, answer=f"Contact {named(house.order(20)[1])} is not allowed"
    )
    house.fault(
        FaultKind.REFUSED, path="/Invoices", body=refused[0], answer=f"Contact {named(refused[1])} is not allowed"
    )
    said = {"ErrorNumber": 10, "Type": "ValidationException", "Message": f"{named(whole[1])} is not valid"}
    house.fault(
        FaultKind.ANSWER,
        method="PUT",
        path="/Invoices",
        body=whole[0],
        status=400,
        headers={"Content-Type": "application/json"},
        answer=json.dumps(said),
    )
    house.fault(FaultKind.TOKEN_EXPIRED, path="/api.xro/2.0/")
    house.fault(FaultKind.DROP_AFTER, method="PUT", path="/Contacts")
    house.fault(FaultKind.TRUNCATED, method="PUT", path="/Items")
    house.fault(FaultKind.HTML, method="PUT", path="/CreditNotes")
    house.fault(FaultKind.SERVER_ERROR_AFTER_COMMIT, method="PUT", path="/Payments")


def set_wrongly(house: Marked) -> None:
    """Secrets in the wrong setting, or wrong ones, end a command with a message."""
    password = f"{SECRET}password"
    wrong = {
        "STATE_URL": f"postgresql://books:{password}@127.0.0.1:1/books",
        "SHOPIFY_BASE_URL": f"http://user:{password}@shop.example.com",
        "SHOPIFY_SHOP": f"shpat_{SECRET}",
        "XERO_CLIENT_SECRET": f"{SECRET}wrong",
        "SHOPIFY_ACCESS_TOKEN": f"{SECRET} with a space",
        "KEEP_PAYLOADS_DAYS": f"{SECRET}",
    }
    right = dict(house.environ)
    house.clock.sleep(26 * 3600)  # so that Xero is looked at again, and its token renewed with the wrong secret
    for name, value in wrong.items():
        house.environ = {**right, name: value}
        house.command("status")
        if name in ("SHOPIFY_ACCESS_TOKEN", "XERO_CLIENT_SECRET"):
            house.command("plan", "--day", str(LAST), code=2)
    house.environ = right


@pytest.mark.long
def test_no_secret_and_nothing_personal_is_written_anywhere_but_in_the_store_and_in_stored_days(
    house: Marked, logs: Captured, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with house.connected() as (sync_service, _):
        sync_service.connections.login(0, Browser(house).tell)  # type: ignore[arg-type]  # it has a sandbox and a clock
    let_shopify_fail(house)
    assert "create" in house.command("plan", "--day", str(FIRST), code=0)
    let_xero_fail(house)
    house.transport.crash_at = ("PUT", "/api.xro/2.0/Contacts")
    assert "the machine stopped" in house.command("sync", "--day", str(FIRST), code=1)
    house.clock.sleep(900)
    house.command("sync", "--from", str(FIRST), "--to", str(LAST), code=1)
    assert house.command("status", code=1).count("Xero refused it: Contact … (…, …) of … … is not allowed.") >= 2
    house.clock.sleep(900)
    house.command("sync", "--day", str(FIRST))
    assert [fault.kind for fault in house.sandbox.faults._rules if not fault.fired] == []
    set_wrongly(house)
    printed = capfd.readouterr()
    house.said += (printed.out + printed.err).encode()

    assert len(house.transport.tokens) >= 3
    assert len(logs.text) > 10_000
    assert house.leaks(logs) == {}
    kept = searched(house.folder / "assets", [PERSONAL])
    assert {Path(name).parent.as_posix() for name in kept} == {
        "shopify/customers",
        "shopify/orders",
        "changes/contacts",
    }
    for path in [house.folder / "state.db", *(house.folder / "assets").rglob("*"), house.folder / "assets"]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert not searched(house.folder / "assets", [SECRET, *house.transport.tokens])

    leak_on_purpose(house, monkeypatch)
    found = house.leaks(logs)
    assert PERSONAL in found["logs"]
    assert any(name.startswith("history") for name in found), found


def leak_on_purpose(house: Marked, monkeypatch: pytest.MonkeyPatch) -> None:
    def telling(rows: Any) -> dict[str, Any]:
        logging.getLogger("shopify_xero_pipeline").warning("about %s", PERSONAL)
        return {"leak": PERSONAL}

    monkeypatch.setattr(records, "row_count_metadata", telling)
    house.command("plan", "--day", str(FIRST), code=0)


def test_the_search_finds_what_is_packed_encoded_or_in_another_case(tmp_path: Path) -> None:
    packed = zlib.compress(json.dumps({"name": "Jane QZXWlast"}).encode())
    with closing(sqlite3.connect(tmp_path / "runs.db")) as connection:
        connection.execute("CREATE TABLE bulk (body BLOB)")
        connection.execute("INSERT INTO bulk VALUES (?)", (packed,))
        connection.commit()
    (tmp_path / "value").write_bytes(pickle.dumps({"customer": "qzxwmail"}))
    (tmp_path / "header").write_text("Authorization: Basic c2FuZGJveDpqdmtxc2VjcmV0")  # sandbox:jvkqsecret
    (tmp_path / "clean").write_text("order 1001, 12.50 NZD")
    assert searched(tmp_path, [PERSONAL, "jvkqsecret"]) == {
        "runs.db": {PERSONAL},
        "value": {PERSONAL},
        "header": {"jvkqsecret"},
    }


@pytest.mark.parametrize(
    ("asset", "content"),
    [
        ("shopify/orders", [{"id": "gid://shopify/Order/1", "name": {"x": PERSONAL}, "customer": PERSONAL}]),
        ("changes/contacts", {"kind": "contact", "day": "2026-09-21", "changes": [{"record": PERSONAL}]}),
    ],
)
def test_a_stored_day_that_cannot_be_read_is_not_quoted(tmp_path: Path, asset: str, content: object) -> None:
    file = tmp_path / asset / f"{FIRST}.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content))
    partitions = dg.DailyPartitionsDefinition(start_date=f"{FIRST}")
    key, days = dg.AssetKey(asset.split("/")), dg.PartitionKeyRange(f"{FIRST}", f"{FIRST}")
    with (
        dg.build_input_context(
            asset_key=key, asset_partitions_def=partitions, asset_partition_key_range=days
        ) as context,
        pytest.raises(dg.Failure) as caught,
    ):
        JsonIOManager(UPath(tmp_path)).load_input(context)[FIRST]
    assert "is damaged" in str(caught.value.description)
    assert PERSONAL not in "".join(traceback.format_exception(caught.value))
