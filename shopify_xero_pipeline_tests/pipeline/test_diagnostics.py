"""The doctor: a sound store passes; each promise broken by hand is found, and only that one."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from shopify_xero_pipeline.pipeline import diagnostics
from shopify_xero_pipeline.pipeline.reconciled_days import store_reconciliations
from shopify_xero_pipeline.state.database_errors import StoreDamagedError
from shopify_xero_pipeline.state.invariants import InvariantResult
from shopify_xero_pipeline.state.row_checksums import add_missing_checksums
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.stage import Stage, at, just_as_far, staged
from shopify_xero_pipeline_tests.support.sync_round import FIRST, carry

NOW = at(FIRST + timedelta(days=1))
SECRET = "a-secret-that-stands-nowhere"


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("carried"), NOW) as stage:
        carry(stage.sync_service, [FIRST])
        yield stage


@pytest.fixture
def stage(carried: Stage, tmp_path: Path) -> Iterator[Stage]:
    with just_as_far(carried, tmp_path / "stage") as stage:
        yield stage


def examined(stage: Stage, home: Path | None = None, *, offline: bool = False) -> dict[str, InvariantResult]:
    home = home or stage.folder / "dagster"
    home.mkdir(exist_ok=True)
    found = diagnostics.run_diagnostics(stage.sync_service, home=home, secrets=[SECRET], offline=offline)
    return {one.number: one for one in found}


def change(stage: Stage, statement: str) -> None:
    """Change what the store says, as only a mistake of ours could: sealed and consistent with itself."""
    with stage.sync_service.connections.store._engine.begin() as connection:
        connection.execute(text(statement))
        add_missing_checksums(connection)


def test_a_sound_store_keeps_every_promise(stage: Stage) -> None:
    found = examined(stage)
    assert list(found) == [f"I{number}" for number in range(1, 15)]
    assert {name: one.violations for name, one in found.items() if one.violations} == {}
    assert all(found[name].checked > 0 for name in ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I11", "I12"))
    assert not any(one.violations for one in found.values())


def test_offline_it_calls_nobody(stage: Stage) -> None:
    calls = stage.sync_service.connections.calls
    assert not any(one.violations for one in examined(stage, offline=True).values())
    assert stage.sync_service.connections.calls == calls


@pytest.mark.parametrize(
    ("number", "statement"),
    [
        ("I3", "UPDATE operation SET state = 'lost' WHERE id = (SELECT min(id) FROM operation)"),
        ("I4", "UPDATE batch SET body = '{}' WHERE id = 1"),
        ("I5", "UPDATE batch SET first_sent_at = NULL WHERE id = 1"),
        ("I6", "UPDATE batch SET xero_settled_at = '2027-01-01T00:00:00.000000Z' WHERE id = 1"),
        ("I7", "UPDATE batch SET not_before = first_sent_at WHERE id = 1"),
        ("I7", "UPDATE batch SET not_before = first_sent_at, xero_quiet_at = xero_sent_at WHERE id = 1"),
        ("I8", "UPDATE batch SET state = 'intent', fence = 0 WHERE id = 1"),
        (
            "I10",
            "INSERT INTO oauth_token VALUES ('xero', 1, 'a', 'r', '', '2026-09-22T00:00:00.000000Z', "
            "'2026-09-21T00:00:00.000000Z', '2026-09-21T00:00:00.000000Z', NULL)",
        ),
        ("I12", 'UPDATE operation SET payload = replace(payload, \'"contact_id":"\', \'"contact_id":"9\')'),
    ],
)
def test_a_broken_promise_of_the_journal_is_found(stage: Stage, number: str, statement: str) -> None:
    store = stage.sync_service.connections.store
    store.verify = lambda: None  # type: ignore[method-assign]  # what is broken here would be refused before
    change(stage, statement)
    assert {name for name, one in examined(stage, offline=True).items() if one.violations} == {number}


def test_calls_that_crowd_are_found(stage: Stage) -> None:
    with stage.sync_service.connections.store._engine.begin() as connection:
        for second in range(61):
            at_ = f"2026-09-20T00:00:{second % 60:02d}.000000Z"
            connection.execute(text(f"INSERT INTO api_call (started_at, ended_at) VALUES ('{at_}', '{at_}')"))
    broken = examined(stage, offline=True)["I11"].violations
    assert broken[0] == "61 calls within a minute from 00:00:00 UTC"


def test_two_records_in_xero_under_one_key_of_ours_are_found(stage: Stage) -> None:
    row = next(iter(stage.sync_service.connections.store.mapped("payment").values()))
    store = stage.sync_service.connections.store
    shown = store.mirror_by_xero_id("payment", [row.xero_id])[row.xero_id]
    store.update_mirror("payment", [shown.model_copy(update={"xero_id": "another"})], None)
    assert examined(stage, offline=True)["I1"].violations == (f"payment {row.natural_key}: 2 records",)


def test_what_a_person_did_to_our_records_in_xero_is_found(stage: Stage) -> None:
    number = next(iter(stage.sync_service.connections.store.mapped("credit_note").values())).natural_key
    note = stage.person.credit_note(number)
    stage.person.remove_allocations(note)
    for payment in [one for one in stage.sandbox.books.payments.values() if one.document_id == note.id]:
        stage.person.delete_payment(payment)
    stage.person.void_document(note)

    assert f"credit_note {number}: voided in Xero" in examined(stage)["I2"].violations


def test_a_day_whose_books_do_not_agree_is_found(stage: Stage) -> None:
    day = stage.sync_service.reconciliations.of_days([FIRST])[0]
    wrong = day.model_copy(update={"rows": (day.rows[0].model_copy(update={"lost": 1}), *day.rows[1:])})
    store_reconciliations(stage.sync_service.connections.store, [wrong], "830")
    assert examined(stage, offline=True)["I9"].violations


def test_a_secret_or_a_customers_address_in_what_dagster_keeps_is_found(stage: Stage, tmp_path: Path) -> None:
    mail = next(
        address
        for row in stage.sync_service.connections.store.mapped(Kind.CONTACT).values()
        if (address := json.loads(row.payload).get("email"))
    )
    home = tmp_path / "home"
    (home / "storage").mkdir(parents=True)
    (home / "a.log").write_text(f"x{SECRET}x")
    (home / "storage" / "b.db").write_bytes(b"\x00" + mail.encode())
    (home / "c.log").write_text("nothing at all")
    found = examined(stage, home, offline=True)["I13"]
    assert (found.checked, list(found.violations)) == (3, ["a.log", "storage/b.db"])


def test_a_damaged_store_is_not_examined(stage: Stage) -> None:
    with stage.sync_service.connections.store._engine.begin() as connection:
        connection.execute(text("UPDATE operation SET attempts = 9 WHERE id = 1"))
    stage.restart()
    with pytest.raises(StoreDamagedError):
        examined(stage, offline=True)


def test_what_is_broken_comes_with_what_to_do(stage: Stage) -> None:
    found = diagnostics.summary(
        [InvariantResult("I9", "the books agree", 3, ["2026-09-21"]), InvariantResult("I3", "known", 2, [])]
    )
    assert found == {
        "I9": {
            "status": "fail",
            "message": "the books agree",
            "checked": 3,
            "violations": ["2026-09-21"],
            "noted": [],
            "remedy": "sync these days; `shopify-xero status` lists the orders",
        },
        "I3": {"status": "pass", "message": "known", "checked": 2, "violations": [], "noted": [], "remedy": ""},
    }
    assert "report it" in diagnostics.remedy(InvariantResult("I3", "known", 2, ["one"]))
