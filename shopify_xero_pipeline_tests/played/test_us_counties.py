"""A shop in the United States that is taxed by state, county and city: a name of its own for each of thousands."""

import json
from pathlib import Path

import pytest

from shopify_xero_pipeline.cli import exit_codes
from shopify_xero_pipeline_tests.played.shops import documents, lines, played
from shopify_xero_pipeline_tests.root.test_cli import invoke

DAY = ("--from", "2026-10-01", "--to", "2026-10-01")
STATE = '    - {title: California State Tax, account: "821"}\n'
FAMILIES = (
    '    - {country: US, jurisdiction: county, account: "820"}\n    - {title_like: "* City Tax", account: "209"}\n'
)
ORDERS = {"SH-3000": "Alameda", "SH-3001": "Fresno", "SH-3002": "Kern", "SH-3003": "Marin"}


def test_two_entries_for_families_of_taxes_unblock_every_county_and_the_doctor_lists_what_they_took_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played("us_counties", tmp_path, monkeypatch, (STATE, STATE + FAMILIES)) as stage:
        result = invoke("sync", *DAY)
        assert result.exit_code == 0, result.output
        found = documents(stage)
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
        assert invoke("status", "--month", "2026-10").exit_code == exit_codes.LATER  # most days were not synced
        examined = invoke("doctor", "--offline", "--json", "-")
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
        assert "Alameda County Tax 0.25 % (US): 0.25 USD of 1 order; Fresno" in invoke("doctor", "--offline").stdout


def test_a_catch_all_for_a_country_unblocks_them_with_one_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with played(
        "us_counties", tmp_path, monkeypatch, (STATE, STATE + '    - {country: US, account: "820"}\n')
    ) as stage:
        assert invoke("sync", *DAY).exit_code == 0
        assert {account for document in documents(stage).values() for *_, account in lines(document)} == {
            *("200", "821", "820")
        }


def test_an_entry_for_a_county_alone_leaves_the_cities_blocked_and_the_doctor_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counties = (STATE, STATE + "    - {jurisdiction: county, account: '820'}\n")
    with played("us_counties", tmp_path, monkeypatch, counties) as stage:
        invoke("sync", *DAY)
        assert documents(stage) == {}
        (*_, left) = json.loads(invoke("doctor", "--offline", "--json", "-").stdout)["tax_rules"]
        assert left["says"] == "no entry: these orders are blocked"
        assert [tax["taxes"][0]["title"] for tax in left["taxes"]] == [f"{name} City Tax" for name in ORDERS.values()]
