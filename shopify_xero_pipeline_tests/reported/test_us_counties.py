"""A shop in the United States that is taxed by state, county and city: a name of its own for each of thousands."""

import json
from pathlib import Path

import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline_tests.reported.playing import lines, played

pytestmark = pytest.mark.campaign

DAY = ("--from", "2026-10-01", "--to", "2026-10-01")
STATE = '    - {title: California State Tax, account: "821"}\n'
FAMILIES = (
    '    - {country: US, jurisdiction: county, account: "820"}\n    - {title_like: "* City Tax", account: "209"}\n'
)
ORDERS = {"SH-3000": "Alameda", "SH-3001": "Fresno", "SH-3002": "Kern", "SH-3003": "Marin"}


def test_counties_and_cities_without_an_entry_leave_four_orders_out_of_the_books_and_the_verdict_and_exit_code_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "us_counties", shop="united_states") as case:
        synced = case.sync("2026-10-01")
        assert synced.exit_code == exit_codes.BLOCKED
        assert "the books agree; 4 orders of 433.00 USD are not in them" in synced.stdout
        assert case.documents() == {}
        status = case.status()
        assert status["message"] == "the books agree; 4 orders of 433.00 USD are not in them"
        assert [one["order_name"] for one in status["listed_orders"]] == ["#3000", "#3003", "#3002", "#3001"]


def test_two_entries_for_families_of_taxes_unblock_every_county_and_the_doctor_lists_what_they_took_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(tmp_path, monkeypatch, "us_counties", (STATE, STATE + FAMILIES), shop="united_states") as case:
        result = case.command("sync", *DAY)
        assert result.exit_code == 0, result.output
        found = case.documents()
        assert {number: (str(found[number].total), lines(found[number])) for number in found} == {
            number: (
                "108.25",
                [
                    ("Shirt", "100.00", "0.00", "200"),
                    ("California State Tax 6 %", "6.00", "0.00", "821"),
                    (f"{name} County Tax 0.25 %", "0.25", "0.00", "820"),
                    (f"{name} City Tax 2 %", "2.00", "0.00", "209"),
                ],
            )
            for number, name in ORDERS.items()
        }
        assert (
            case.command("status", "--month", "2026-10").exit_code == exit_codes.RETRY_LATER
        )  # most days were not synced
        examined = case.command("doctor", "--offline", "--json", "-")
        rules = json.loads(examined.stdout)["tax_rules"]
        assert [(rule["setting"], rule["says"], rule["goes_to"]) for rule in rules] == [
            ("tax.lines[0]", "title: California State Tax", "821"),
            ("tax.lines[1]", "jurisdiction: county, country: US", "820"),
            ("tax.lines[2]", "title_like: * City Tax", "209"),
        ]
        assert [[tax["taxes"][0]["title"] for tax in rule["taxes"]] for rule in rules] == [
            ["California State Tax"],
            [f"{name} County Tax" for name in ORDERS.values()],
            [f"{name} City Tax" for name in ORDERS.values()],
        ]
        assert (
            "Alameda County Tax 0.25 % (US): 0.25 USD of 1 order; Fresno" in case.command("doctor", "--offline").stdout
        )


def test_a_catch_all_for_a_country_unblocks_them_with_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = (STATE, STATE + '    - {country: US, account: "820"}\n')
    with played(tmp_path, monkeypatch, "us_counties", everything, shop="united_states") as case:
        assert case.command("sync", *DAY).exit_code == 0
        assert {account for document in case.documents().values() for *_, account in lines(document)} == {
            *("200", "821", "820")
        }


def test_an_entry_for_a_county_alone_leaves_the_cities_blocked_and_the_doctor_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counties = (STATE, STATE + "    - {jurisdiction: county, account: '820'}\n")
    with played(tmp_path, monkeypatch, "us_counties", counties, shop="united_states") as case:
        case.command("sync", *DAY)
        assert case.documents() == {}
        (*_, left) = json.loads(case.command("doctor", "--offline", "--json", "-").stdout)["tax_rules"]
        assert left["says"] == "no entry: these orders are blocked"
        assert [tax["taxes"][0]["title"] for tax in left["taxes"]] == [f"{name} City Tax" for name in ORDERS.values()]
