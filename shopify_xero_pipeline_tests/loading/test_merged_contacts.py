"""Documents go to the Contact that a person merged theirs into (docs/contracts/xero.md §6.1)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.records import contact, invoice
from shopify_xero_pipeline_tests.support.world import World, counted


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.load(contact(1), contact(2), contact(3))
    yield made
    made.store.close()


def merge(world: World, number: int, into: int) -> None:
    """A person merges one Contact into another, and the mirror sees it."""
    named = [world.person.contact(f"shopify:{one}") for one in (number, into)]
    world.wait(1)
    world.person.merge_contacts(*named)
    world.mirror.sweep(Kind.CONTACT)


def bearer(world: World) -> str:
    (document,) = world.live(Kind.INVOICE)
    return world.books.contacts[document.contact_id].number


def test_an_invoice_goes_to_the_contact_its_own_was_merged_into(world: World) -> None:
    merge(world, 1, into=2)
    assert counted(world.load(invoice(1001))) == {"created": 1}
    assert bearer(world) == "shopify:2"


def test_contacts_merged_one_after_another_are_followed_to_the_last(world: World) -> None:
    merge(world, 1, into=2)
    merge(world, 2, into=3)
    world.load(invoice(1001))
    assert bearer(world) == "shopify:3"


def test_contacts_merged_in_a_circle_end_the_search(world: World) -> None:
    merge(world, 1, into=2)
    merge(world, 2, into=1)
    assert counted(world.load(invoice(1001))) == {"failed": 1}


def test_a_contact_that_is_only_archived_is_not_merged(world: World) -> None:
    world.wait(1)
    world.person.archive_contact(world.person.contact("shopify:1"))
    world.mirror.sweep(Kind.CONTACT)
    report = world.load(invoice(1001))
    assert counted(report) == {"failed": 1}
    assert "un-archived" in report.results[0].reason
