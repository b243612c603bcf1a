"""A lost or damaged store is made anew from Shopify and Xero, record by record as it was, and Xero is only read."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from upath import UPath

from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.changes.plan import has_writes
from shopify_xero_pipeline.defs.io_managers import JsonIOManager
from shopify_xero_pipeline.pipeline.connections import PipelineError
from shopify_xero_pipeline.pipeline.rebuild import Rebuild, RebuildReport, set_aside_store
from shopify_xero_pipeline.pipeline.redaction import redact_customer
from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.state.store import StateStore
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.stage import Stage, at, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry, plans

pytestmark = pytest.mark.campaign

DAYS = [FIRST + timedelta(days=number) for number in range(14)]
SAME = ("xero_id", "natural_key", "checksum", "payload", "order_id")
Content = dict[tuple[str, str], tuple[object, ...]]


def content(store: StateStore) -> Content:
    return {
        (row.kind, row.shopify_id): tuple(getattr(row, name) for name in SAME)
        for kind in Kind
        for row in store.mapped(kind).values()
    }


def rebuild(stage: Stage) -> RebuildReport:
    """Rebuild as the command does, on the stage's clock."""
    stage.sync_service.connections.close()
    settings = Settings.from_environment(stage.environ, dotenv=None)
    aside = set_aside_store(settings, stage.clock)
    sync_service = stage.restart()
    if aside is not None:
        sync_service.connections.store.import_rows(aside.carried_over)
    work = Rebuild(sync_service)
    rest = work.quiet_until()
    assert all(left > 0 for left in work.wait(rest))
    return work.adopt("a rebuild")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The fortnight in Xero, in four goes, with what people and accountants do in between."""
    with staged(tmp_path_factory.mktemp("rebuild"), at(FIRST + timedelta(days=9), 3)) as stage:
        carry(stage.sync_service, DAYS[:9])
        stage.clock.move_to(at(FIRST + timedelta(days=14), 3))
        stage.sync_service.connections.close()
        carry(stage.restart(), DAYS)
        stage.person.set_lock_dates(period=DAYS[9])
        yield stage


@pytest.mark.long
def test_the_mapping_is_made_anew_record_by_record_and_a_sync_of_everything_writes_nothing(stage: Stage) -> None:
    before, size = content(stage.sync_service.connections.store), stage.size()
    assert len(before) > 500
    (stage.folder / "state.db").write_bytes(b"SQLite format 3\0 and nothing of it")

    found = rebuild(stage)

    after = content(stage.sync_service.connections.store)
    assert {key: row for key, row in after.items() if row != before.get(key)} == {}
    assert {key[0] for key in before.keys() - after.keys()} <= {"item"}
    assert (found.conflicts, found.succeeded, stage.size()) == ([], True, size)
    assert not any(has_writes(change_sets) for change_sets in plans(stage.sync_service, DAYS))
    assert stage.sync_service.connections.store.journal.last_batch() == 0
    assert len(list(stage.folder.glob("state.db.damaged-*"))) == 1


def test_a_rebuild_that_was_stopped_goes_on_with_the_store_it_began(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=1), 3)) as stage:
        settings = Settings.from_environment(stage.environ, dotenv=None)
        assert set_aside_store(settings, stage.clock) is None
        Rebuild(stage.sync_service)
        stage.sync_service.connections.close()
        assert set_aside_store(settings, stage.clock) is None
        rebuild(stage)
        stage.sync_service.connections.close()
        aside = set_aside_store(settings, stage.clock)
        assert aside is not None
        assert Path(aside.name).exists()


def test_nothing_is_adopted_while_something_may_be_under_way(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=1), 3)) as stage:
        carry(stage.sync_service, DAYS[:1])
        stage.sync_service.connections.close()
        for path in tmp_path.glob("state.db*"):
            path.unlink()
        work = Rebuild(stage.restart())
        assert timedelta(seconds=600) <= work.quiet_until() <= timedelta(seconds=602)
        with pytest.raises(PipelineError, match="Safe mode: of the state store, it is new; Xero is read back after"):
            work.adopt("too early")


def test_sign_ins_and_redactions_are_brought_over(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=1), 3)) as stage:
        stage.sync_service.connections.store.privacy.note_redaction("7", {"keys": ["shopify:7"]})
        rebuild(stage)
        assert stage.sync_service.connections.store.privacy.redacted_customers()["7"]["keys"] == ["shopify:7"]


@pytest.mark.parametrize("number", ["SH-1001", "SH-1006-R2455050010"])
def test_documents_whose_reference_a_person_changed_are_named_after_a_rebuild_and_not_posted_again(
    tmp_path: Path, number: str
) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=1), 3)) as stage:
        carry(stage.sync_service, DAYS[:1])
        (document,) = [one for one in stage.sandbox.books.documents.values() if one.number == number]
        stage.person.edit_document(document, reference="changed by me")
        size = stage.size()
        rebuild(stage)

        carry(stage.sync_service, DAYS[:1])

        assert stage.size() == size
        orders = stage.sync_service.extractor.read_orders(DAYS[:1])
        plans_of = (
            stage.sync_service.planner.plan_orders(orders, (kind,)) for kind in (Kind.INVOICE, Kind.CREDIT_NOTE)
        )
        lines = [line for some in plans_of for plan in some for line in plan.changes if line.natural_key == number]
        assert [line.action for line in lines] == [Action.CONFLICT]


def test_a_redacted_contact_is_mapped_again_without_its_personal_data(tmp_path: Path) -> None:
    with staged(tmp_path, at(FIRST + timedelta(days=1), 3)) as stage:
        carry(stage.sync_service, DAYS[:1])
        store = stage.sync_service.connections.store
        for customer in store.mapped(Kind.CONTACT):
            redact_customer(store, JsonIOManager(UPath(tmp_path / "assets")), customer)
        before, size = content(store), stage.size()

        found = rebuild(stage)

        assert (content(stage.sync_service.connections.store), stage.size()) == (before, size)
        assert (found.conflicts, found.succeeded) == ([], True)
