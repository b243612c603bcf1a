"""The campaign of real processes in a few seconds, run by its command on both kinds of store.

The negative control takes longer and is part of the command (`--without-guard`); its comparison is tested here.
"""

import json
import subprocess
import sys
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from shopify_xero_pipeline.sandbox.xero.books import XeroBooks
from shopify_xero_pipeline.sandbox.xero.records import Contact
from shopify_xero_pipeline_tests.campaigns.processes.campaign import forks, served
from shopify_xero_pipeline_tests.campaigns.processes.scaled import START, ScaledClock
from shopify_xero_pipeline_tests.campaigns.processes.verdict import judge
from shopify_xero_pipeline_tests.campaigns.processes.workload import records_of, wanted
from shopify_xero_pipeline_tests.support.postgres import programs
from shopify_xero_pipeline_tests.support.world import World, change_set

FAST = 120


def campaign(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Run the command; return its exit code and the figures of its only round."""
    file = folder / "figures.json"
    command = [sys.executable, "-m", "shopify_xero_pipeline_tests.campaigns.processes", "--json", str(file)]
    ended = subprocess.run([*command, "--scale", str(FAST), *options], check=False, capture_output=True, timeout=300)
    (figures,) = next(iter(json.loads(file.read_text()).values()))[-1:]
    return ended.returncode, figures


@pytest.mark.campaign
@pytest.mark.long
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_workers_that_are_killed_and_stopped_while_they_load_write_everything_once(tmp_path: Path, store: str) -> None:
    if store == "postgres" and programs() is None:
        pytest.skip("Postgres is not installed: there is no initdb on the path or below /usr/lib/postgresql")
    code, round_ = campaign(tmp_path, "--store", store, "--kills", "10", "--pauses", "2", "--rounds", "1")
    assert code == 0
    assert (round_["figures"]["kills"], round_["figures"]["pauses"]) == (10, 2)
    assert (round_["duplicates"], round_["lost"], round_["wrong"]) == ([], [], [])
    assert round_["xero"]["calls"] > 10


def test_the_scaled_clock_is_one_for_all_that_are_given_it() -> None:
    clock = ScaledClock(100, epoch=0.0)
    same = ScaledClock(100, epoch=0.0)
    before, between, after = clock.now(), same.now(), clock.now()
    assert START < before <= between <= after


def test_xero_has_one_date_header_which_runs_as_fast_as_the_clock_of_the_round() -> None:
    """With a Date at another rate, processes disagree about Xero's time, and a quiet time may seem over at once."""
    clock = ScaledClock(FAST)
    with served(forks(), clock, seed=0) as address:
        before = clock.now()
        dates = httpx.get(f"{address}/connections", timeout=30).headers.get_list("date")
        after = clock.now()
    (at,) = map(parsedate_to_datetime, dates)
    assert before.replace(microsecond=0) <= at <= after


@pytest.fixture
def loaded(tmp_path: Path) -> World:
    world = World(tmp_path)
    records = records_of(0)
    for kind in dict.fromkeys(record.kind for record in records):
        world.loader.load([change_set(*[record for record in records if record.kind is kind])], "run")
    return world


def test_the_verdict_is_good_when_every_record_stands_there_once(loaded: World) -> None:
    assert len(wanted(1)) == len(records_of(0)) == 8
    assert judge(loaded.books, loaded.store, 1).good


def test_the_verdict_names_what_stands_there_twice_what_is_missing_and_what_is_mapped_to_another(loaded: World) -> None:
    books = XeroBooks.from_json(loaded.books.to_json())
    twice = next(payment for payment in books.payments.values() if payment.reference.endswith("/10012"))
    twice_again = type(twice)(**{name: getattr(twice, name) for name in twice.__struct_fields__} | {"id": "another"})
    books.keep_payment(twice_again)
    (contact,) = books.contacts.values()
    books.contacts = {"x": Contact(id="x", updated=contact.updated, number="somebody's", name="Somebody")}

    verdict = judge(books, loaded.store, 1)

    assert verdict.duplicates == [
        ("contact", "somebody's", "0", "", ""),
        ("payment", "shopify:1001/10012|SH-1001", "20", "NZD", "601"),
    ]
    assert verdict.lost == [("contact", "shopify:1", "0", "", "")]
    assert any(line.startswith("contact shopify:1: Xero has None") for line in verdict.wrong)
