"""A customer is forgotten: nothing personal of it is left in the store or in stored days, or comes back to them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner
from upath import UPath

from shopify_xero_pipeline import cli
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.pipeline.connections import PipelineError
from shopify_xero_pipeline.pipeline.redaction import redact_customer
from shopify_xero_pipeline.reconciliation.mapping_integrity import violations
from shopify_xero_pipeline.sandbox.faults import Fault, FaultKind
from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, Version
from shopify_xero_pipeline.sandbox.shop_generator import GeneratedShop
from shopify_xero_pipeline.state.records import OperationState
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.cli.test_cli import on_stage
from shopify_xero_pipeline_tests.support.markers import PERSONAL, marked, searched
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry, plans

pytestmark = pytest.mark.campaign

DAYS = [FIRST + timedelta(days=n) for n in range(2)]
MORE_DAYS = [FIRST + timedelta(days=n) for n in range(3)]
LATER = FIRST + timedelta(days=15)
REGULARS = "gid://shopify/Customer/73000000001"


class OneMarked:
    """A shop in which everything personal of one customer bears a marker."""

    def __init__(self, customer: str) -> None:
        self._source, self._gid = GeneratedShop(1, opened=FIRST), f"gid://shopify/Customer/{customer}"

    def shop(self) -> Node:
        return self._source.shop()

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        found = self._source.versions(kind, until)
        return {gid: [Version(one.at, self._of(one.node)) for one in life] for gid, life in found.items()}

    def _of(self, node: Node) -> Node:
        if node.get("id") == self._gid or (node.get("customer") or {}).get("id") == self._gid:
            return dict(marked(node))
        return node


def busiest(days: int) -> str:
    """The regular customer with most orders: it bears a name, an e-mail address and a street."""
    found: dict[str, int] = {}
    for life in GeneratedShop(1, opened=FIRST).versions("orders", at(FIRST + timedelta(days=days))).values():
        who = life[-1].node["customer"]
        if who and who["id"].startswith(REGULARS) and who["defaultEmailAddress"]:
            found[who["legacyResourceId"]] = found.get(who["legacyResourceId"], 0) + 1
    return max(sorted(found), key=lambda key: found[key])


@pytest.fixture
def customer() -> str:
    return busiest(2)


@pytest.fixture
def stage(tmp_path: Path, customer: str) -> Iterator[Stage]:
    with staged(tmp_path, at(DAYS[-1] + timedelta(days=1)), OneMarked(customer)) as stage:
        yield stage


def assets(stage: Stage) -> UPath:
    return UPath(stage.folder / "assets")


def left(stage: Stage) -> set[str]:
    """Where something personal of the customer still stands among our files."""
    return {Path(name).parent.as_posix() for name in searched(stage.folder, [PERSONAL])}


def content(stage: Stage, but: str) -> dict[str, str]:
    """What the mapping says of every record but one Contact."""
    rows = {key: row for kind in Kind for key, row in stage.sync_service.connections.store.mapped(kind).items()}
    return {f"{row.kind} {key}": row.payload for key, row in rows.items() if (row.kind, key) != (Kind.CONTACT, but)}


def test_a_redacted_customer_is_gone_from_all_files_and_a_sync_of_everything_does_not_bring_it_back(
    stage: Stage, instance: dg.DagsterInstance, customer: str
) -> None:
    stage.clock.move_to(at(LATER))
    assert stage.runner(instance).sync(MORE_DAYS).succeeded
    assert left(stage) == {".", "assets/shopify/customers", "assets/shopify/orders", "assets/changes/contacts"}
    before, size = content(stage, customer), stage.size()
    (in_xero,) = [one for one in stage.sandbox.books.contacts.values() if PERSONAL in one.name]
    done = redact_customer(
        stage.sync_service.connections.store, JsonIOManager(assets(stage)), customer, "letter of 3 October"
    )
    assert left(stage) == set()
    assert done.emptied["mapping"] == done.emptied["operations"] == done.emptied["mirror"] == 1
    assert min(done.emptied[f"days of {name}"] for name in ("shopify/orders", "changes/contacts")) >= 1
    assert done.retained["documents"] >= 1
    assert done.retained["payments and allocations"] >= 1
    assert done.link == f"https://go.xero.com/Contacts/View/{in_xero.id}"

    stage.clock.sleep(3 * 86_400)  # long enough for Xero to be swept again, whose Contact still bears the name
    stage.restart()
    again = stage.runner(instance).sync(MORE_DAYS)
    assert (again.succeeded, again.summary()["duplicates"], stage.size()) == (True, 0, size)
    assert left(stage) == set()
    assert content(stage, customer) == before
    assert PERSONAL in in_xero.name
    store = stage.sync_service.connections.store
    assert not any(violations(row for kind in Kind for row in store.mapped(kind).values()).values())


def test_a_customer_forgotten_before_it_ever_came_arrives_nameless_and_its_orders_are_posted(
    stage: Stage, customer: str
) -> None:
    redact_customer(stage.sync_service.connections.store, JsonIOManager(assets(stage)), customer)
    days = carry(stage.sync_service, DAYS)
    assert not any(day.unequal or day.count("failed") for day in days)
    assert left(stage) == set()
    assert not any(PERSONAL in one.name for one in stage.sandbox.books.contacts.values())
    names = [one.name for one in stage.sandbox.books.contacts.values()]
    assert f"Shopify customer {customer}" in names


@pytest.mark.long
def test_what_a_person_then_makes_of_the_contact_in_xero_is_left_alone(stage: Stage, customer: str) -> None:
    carry(stage.sync_service, DAYS)
    redact_customer(stage.sync_service.connections.store, JsonIOManager(assets(stage)), customer)
    stage.person.archive_contact(stage.person.contact(f"shopify:{customer}"))
    stage.clock.sleep(2 * 86_400)
    contacts = len(stage.sandbox.books.contacts)
    days = carry(stage.sync_service, DAYS)
    assert not any(day.unequal or day.count("failed") for day in days)
    assert (len(stage.sandbox.books.contacts), left(stage)) == (contacts, set())


@pytest.mark.long
def test_a_contact_whose_write_has_no_answer_yet_is_redacted_only_after_it_is_settled(
    stage: Stage, customer: str
) -> None:
    stage.sandbox.faults.add(Fault(kind=FaultKind.SERVER_ERROR_AFTER_COMMIT, method="PUT", path="/Contacts"))
    stage.sync_service.loader.load(plans(stage.sync_service, DAYS)[0], "a run")
    with pytest.raises(PipelineError, match=f"A write of Contact shopify:{customer} is under way, and nothing was"):
        redact_customer(stage.sync_service.connections.store, JsonIOManager(assets(stage)), customer)
    assert left(stage) != set()
    stage.clock.sleep(900)
    carry(stage.sync_service, DAYS)
    redact_customer(stage.sync_service.connections.store, JsonIOManager(assets(stage)), customer)
    assert left(stage) == set()


def test_the_command_tells_what_it_did_what_it_kept_and_what_is_left_to_do(
    stage: Stage, customer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    carry(stage.sync_service, DAYS)
    file = tmp_path / "redaction.json"
    with on_stage(stage, monkeypatch):
        result = CliRunner().invoke(cli.main, ["redact", "--customer", customer, "--json", str(file)])
        wrong = CliRunner().invoke(cli.main, ["redact", "--customer", "jane@example.com"])
    assert result.exit_code == 0, result.output
    assert "https://go.xero.com/Contacts/View/" in result.output
    assert f"replace its name with Shopify customer {customer}" in result.output
    told = json.loads(file.read_text())
    assert set(told) == {"customer", "reason", "emptied", "kept", "xero_contact", "link", "in_xero"}
    assert (told["customer"], told["emptied"]["mapping"]) == (customer, 1)
    assert PERSONAL not in result.output + file.read_text()
    assert (wrong.exit_code, "takes the digits" in wrong.output) == (2, True)
    note = stage.sync_service.connections.store.privacy.redacted_customers()[customer]
    assert {name: note[name] for name in ("emptied", "kept")} == {name: told[name] for name in ("emptied", "kept")}


def test_a_load_empties_once_a_day_what_was_settled_longer_ago_than_is_kept(stage: Stage) -> None:
    store = stage.sync_service.connections.store
    carry(stage.sync_service, DAYS)
    settled = store.journal.in_state(OperationState.CONFIRMED)
    assert all(one.payload for one in settled)
    stage.clock.sleep(31 * 86_400)
    stage.sync_service.loader.load([], "a run")
    assert not any(one.payload for one in store.journal.in_state(OperationState.CONFIRMED))
    days = carry(stage.sync_service, DAYS)
    assert not any(day.unequal or day.extra or day.count("failed") for day in days)
