"""Every broken set-up is named by doctor, and refused or warned of before anything is written to Xero."""

import re
from pathlib import Path

import pytest

from shopify_xero_pipeline_tests.campaigns.reliability import PAGE
from shopify_xero_pipeline_tests.campaigns.set_ups.cases import CASES
from shopify_xero_pipeline_tests.campaigns.set_ups.play import SetUp, is_named, is_stopped_or_said, play

OF_EACH_KIND = (
    "no such account: sales",
    "gift cards on corporation tax (stock chart, United Kingdom)",
    "tips on sales",
    "a base currency without the shop's",
    "an unknown key",
    "a .env in Latin-1",
    "no scope for orders",
)
"""Played with every `make test`; all of them with `make simulate`."""

SOME = [one for one in CASES if one.name in OF_EACH_KIND]
OTHERS = [one for one in CASES if one.name not in OF_EACH_KIND]


def is_met(one: SetUp, folder: Path) -> None:
    played = play(one, folder)
    assert not played.crashed
    assert is_named(one, played), played
    assert is_stopped_or_said(one, played), played
    assert played.doctor == (0 if one.warned else 2)


@pytest.mark.campaign
@pytest.mark.parametrize("one", SOME, ids=lambda one: one.name)
def test_a_broken_set_up_is_named_by_doctor_and_refused_or_warned_of_before_anything_is_written(
    one: SetUp, tmp_path: Path
) -> None:
    is_met(one, tmp_path)


@pytest.mark.campaign
@pytest.mark.long
@pytest.mark.parametrize("one", OTHERS, ids=lambda one: one.name)
def test_so_is_every_other_broken_set_up(one: SetUp, tmp_path: Path) -> None:
    is_met(one, tmp_path)


@pytest.mark.campaign
def test_a_sound_set_up_is_found_to_be_one(tmp_path: Path) -> None:
    played = play(SetUp("sound", ""), tmp_path)
    assert (played.checks, played.said, played.crashed) == ([], "", False)
    assert (played.doctor, played.plan, played.sync) == (0, 0, 0)
    assert played.written > 0


def test_there_are_more_than_sixty_four_set_ups_each_with_a_name_of_its_own() -> None:
    assert len(CASES) >= 64
    assert len({one.name for one in CASES}) == len(CASES)
    assert len(SOME) == len(OF_EACH_KIND)


def test_the_published_figures_are_those_of_all_set_ups() -> None:
    row = re.search(r"^\| \*\*all\*\* \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    count, named, refused, said, tracebacks = map(int, row.group(1).split(" | "))
    assert (count, named, refused + said, tracebacks) == (len(CASES), len(CASES), len(CASES), 0)
