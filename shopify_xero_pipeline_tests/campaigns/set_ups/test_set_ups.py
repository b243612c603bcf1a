"""Tests that doctor names each broken set-up, and that plan and sync refuse or report it before they write."""

import re
from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.campaigns.reliability import PAGE
from shopify_xero_pipeline_tests.campaigns.set_ups.cases import CASES
from shopify_xero_pipeline_tests.campaigns.set_ups.play import SetUp, is_named, is_stopped_or_warned, play

OF_EACH_KIND = (
    "no such account: sales",
    "gift cards on corporation tax (stock chart, United Kingdom)",
    "tips on sales",
    "a base currency without the shop's",
    "an unknown key",
    "a .env in Latin-1",
    "no scope for orders",
)
"""Set-ups of every `make test`; `make simulate` plays all of them."""

SELECTED = [case for case in CASES if case.name in OF_EACH_KIND]
OTHERS = [case for case in CASES if case.name not in OF_EACH_KIND]


def is_met(set_up: SetUp, folder: Path) -> None:
    outcome = play(set_up, folder)
    assert not outcome.crashed
    assert is_named(set_up, outcome), outcome
    assert is_stopped_or_warned(set_up, outcome), outcome
    assert outcome.doctor == (0 if set_up.warned else 2)


@pytest.mark.campaign
@pytest.mark.parametrize("set_up", SELECTED, ids=lambda case: case.name)
def test_a_broken_set_up_is_named_by_doctor_and_refused_or_warned_of_before_anything_is_written(
    set_up: SetUp, tmp_path: Path
) -> None:
    is_met(set_up, tmp_path)


@pytest.mark.campaign
@pytest.mark.long
@pytest.mark.parametrize("set_up", OTHERS, ids=lambda case: case.name)
def test_so_is_every_other_broken_set_up(set_up: SetUp, tmp_path: Path) -> None:
    is_met(set_up, tmp_path)


@pytest.mark.campaign
def test_a_sound_set_up_passes(tmp_path: Path) -> None:
    outcome = play(SetUp("sound", ""), tmp_path)
    assert (outcome.checks, outcome.messages, outcome.crashed) == ([], "", False)
    assert (outcome.doctor, outcome.plan, outcome.sync) == (0, 0, 0)
    assert outcome.written > 0


def test_there_are_more_than_sixty_four_set_ups_each_with_a_name_of_its_own() -> None:
    assert len(CASES) >= 64
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(SELECTED) == len(OF_EACH_KIND)


def test_the_published_figures_are_those_of_all_set_ups() -> None:
    row = re.search(r"^\| \*\*all\*\* \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    count, named, refused, warned, tracebacks = map(int, row.group(1).split(" | "))
    assert (count, named, refused + warned, tracebacks) == (len(CASES), len(CASES), len(CASES), 0)
