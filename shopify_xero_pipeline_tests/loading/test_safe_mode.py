"""A new store is the organisation's first one only if nothing of ours is in Xero; several may find that out at once."""

from pathlib import Path

import pytest

from shopify_xero_pipeline.xero.mirror import Mirror
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.records import contact
from shopify_xero_pipeline_tests.support.world import World, change_set, outcomes


def on_a_new_store(folder: Path) -> World:
    world = World(folder)
    world.url = f"sqlite:///{folder}/new.db"
    world.restart()
    return world


def test_what_another_process_wrote_while_this_one_asked_is_no_reason_to_doubt_a_new_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = on_a_new_store(tmp_path)
    first, sweep = world.loader, Mirror.sweep
    world.restart()

    def overtaken(mirror: Mirror, kind: Kind) -> None:
        monkeypatch.undo()
        assert outcomes(world.loader.load([change_set(contact(1))], "another")) == ["created"]
        sweep(mirror, kind)

    monkeypatch.setattr(Mirror, "sweep", overtaken)
    assert outcomes(first.load([change_set(contact(2))], "run")) == ["created"]


def test_a_new_store_before_an_organisation_that_holds_records_of_ours_writes_nothing(tmp_path: Path) -> None:
    world = on_a_new_store(tmp_path)
    world.load(contact(1))
    second = World(tmp_path / "second", books=world.books)
    second.url = f"sqlite:///{tmp_path}/another.db"
    second.restart()
    report = second.loader.load([change_set(contact(2))], "run")
    assert outcomes(report) == ["postponed"]
    assert report.results[0].reason.startswith("safe mode: of the state store, it is new;")
