"""The steps of a person with only the Dagster UI: sync days, plan one, meet a refusal, fix it, and check the result.

The refused day is not the last one that runs: its open failure must stay red where a person looks first. The shop and
the refused Invoice are those of the README. Each step waits for the texts of the page and takes the screenshots of the
README.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from playwright.sync_api import expect

from shopify_xero_pipeline.defs.metadata.tables import record_table
from shopify_xero_pipeline.observability.escaping import break_links, escape_markdown, to_one_line
from shopify_xero_pipeline.pipeline.record_views import TableView
from shopify_xero_pipeline_tests.campaigns.browser.house import OpenHouse
from shopify_xero_pipeline_tests.campaigns.browser.window import LOCATION, Window, window
from shopify_xero_pipeline_tests.support.hostile_texts import TEXTS

NOW = datetime(2026, 10, 13, 20, 15, tzinfo=UTC)  # 14 October, 09:15 in the shop: the next hour is far enough away
DAY, BEFORE, AFTER = "2026-10-13", "[2026-09-21...2026-10-12]", "2026-10-14"
PICTURED = "2026-10-12"  # a day with refunds, tips and three gateways
GROUPS = ("shopify", "changes", "xero", "books", "state")
LINEAGE = "/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in GROUPS)
LIMIT = "You have reached the limit of invoices you can approve"
REFUSED = f"Xero refused it: {LIMIT}"
SENSORS = ("alerts", "changed_orders", "dead_runs", "unfinished_writes")
SCHEDULES = ("hourly", "nightly", "nightly_mapping_checks", "nightly_open_failures")
RED = ("xero/invoices", "xero/payments", "books/reconciliation", "books/open_failures")
FOREIGN = "http://evil.example/"
MUTATION = 'mutation{setConcurrencyLimit(concurrencyKey:"evil",limit:7)}'
ATTACK = """
<img src='%(page)s/graphql?query=%(mutation)s'>
<iframe name="there"></iframe>
<form method="post" enctype="text/plain" target="there" action="%(page)s/graphql">
  <input name='{"query":"%(escaped)s","x":"' value='"}'>
</form>
<script>
  document.forms[0].submit();
  const body = JSON.stringify({query: '%(mutation)s'});
  fetch('%(page)s/graphql', {method: 'POST', mode: 'no-cors', body});
  fetch('%(page)s/graphql', {method: 'POST', headers: {'Content-Type': 'application/json'}, body}).catch(() => {});
  const socket = new WebSocket('%(page)s/graphql'.replace('http', 'ws'), 'graphql-ws');
  socket.onopen = () => document.body.append('listening');
  socket.onerror = () => document.body.append('refused');
</script>
"""
"""Requests that any site may have a browser send to this machine: an image, a form, two scripts and a WebSocket."""

PICTURES = {"lineage", "plan", "red_check", "reconciliation", "plots", "automation"}


def backfills(look: Window) -> None:
    """Sync the previous days as one backfill."""
    look.materialise("sync", BEFORE)
    look.sees("22 partitions", "100% completed")
    expect(look.text("Status").locator("..")).to_contain_text("Succeeded")


def plans(look: Window) -> None:
    """Plan a day without a write; the plan is shown as a table and as a diff."""
    look.materialise("plan", DAY)
    look.sees("Success")
    look.open_day("changes/invoices", DAY)
    for cells in ("create invoice SH-1227 #1227 105.00 NZD", "create invoice SH-1231 #1231 572.45 NZD"):
        expect(look.page.get_by_role("row", name=cells, exact=True)).to_be_visible()
    look.picture("plan")
    look.reads("+ create invoice SH-1227", "+ number: SH-1227", "+ date: 2026-10-13")


def meets_a_refusal(look: Window, house: OpenHouse) -> None:
    """Have Xero refuse an Invoice: the day's check is red with record and reason. Then run another day."""
    house.spoil("/Invoices", kind="refused", method=None, body="SH-1227", times=None, answer=LIMIT)
    look.materialise("sync", DAY)
    look.sees("Success")
    look.open_check("xero/invoices", "all_loaded")
    look.sees(re.compile(r"^Failed\s*\(1\)$"), re.compile(r"^Passed\s*\(22\)$"))
    look.pick(DAY)
    look.sees("invoice SH-1227", re.compile(f"^{REFUSED}"))
    look.materialise("sync", AFTER)
    look.sees("Success")


def sees_red(look: Window) -> None:
    """Check that the assets are red in the Catalog, in the lineage and on their pages, although the last day passed."""
    look.open("/assets")
    expect(look.row("books / open_failures").get_by_label("check_failed")).to_be_visible()
    look.open(LINEAGE)
    for asset in RED:
        expect(look.node(asset)).to_have_attribute("style", re.compile("background-red"))
    look.picture("lineage")
    for asset in RED:
        look.open(f"/assets/{asset}?view=overview")
        expect(look.text("Latest check results").locator("..").get_by_label("cancel")).to_be_visible()


def finds_the_reason_in_two_clicks(look: Window) -> None:
    """Check that Catalog, lineage and asset page lead to the reason in two clicks, without a dialogue."""
    look.open("/assets")
    look.page.get_by_role("link", name="books / open_failures").click()
    look.reads_in_place("xero/invoices", f"1 record is not in Xero, on {DAY}. invoice SH-1227: {REFUSED}")

    look.open(LINEAGE)
    look.node("xero/invoices").click()
    look.sees("Metadata plots", "Checks")
    expect(look.page.locator("canvas")).to_have_count(0)  # no plot precedes the checks
    look.page.get_by_role("link", name="all_days_loaded").click()
    look.reads_in_place(DAY, "#1227", "invoice SH-1227", REFUSED)

    look.open("/assets/xero/invoices?view=overview")
    look.page.get_by_role("tab", name="Checks").click()
    look.reads_in_place(DAY, "#1227", "invoice SH-1227", REFUSED)
    look.sees(re.compile(f"^1 record is not in Xero, on {DAY}. invoice SH-1227: {REFUSED}"), f"{DAY} (1)")
    page = "https://admin.shopify.com/store/sandbox/orders/5000000247703"
    expect(look.page.get_by_role("link", name=page).first).to_have_attribute("href", page)
    look.picture("red_check")

    look.open("/assets/books/reconciliation?view=overview")
    look.page.get_by_role("tab", name="Checks").click()
    look.reads_in_place(DAY, "#1227", REFUSED)


def mends_it(look: Window, house: OpenHouse) -> None:
    """Remove the cause and sync the day again: everything is green."""
    house.mend()
    look.materialise("sync", DAY)
    look.sees("Success")
    look.open_check("xero/invoices", "all_loaded")
    look.sees(re.compile(r"^Failed\s*\(0\)$"), re.compile(r"^Passed\s*\(24\)$"))
    look.open("/assets")
    expect(look.row("books / open_failures").get_by_label("check_passed")).to_be_visible()
    look.open(LINEAGE)
    for asset in RED:
        expect(look.node(asset)).to_have_attribute("style", re.compile("background-green"))
        look.open(f"/assets/{asset}?view=overview")
        expect(look.text("Latest check results").locator("..").get_by_label("check_circle")).to_be_visible()
        expect(look.text("Latest check results").locator("..").get_by_label("cancel")).to_have_count(0)
        look.open(LINEAGE)


def sees_the_books(look: Window) -> None:
    """Check that Shopify, mapping and Xero agree on the day, with a chart of the fortnight."""
    look.open_day("books/reconciliation", DAY)
    expect(look.page.get_by_role("row", name="NZD sales 2,179.00 2,179.00 2,179.00", exact=True)).to_be_visible()
    look.open_day("books/reconciliation", PICTURED)
    expect(look.page.get_by_role("row", name="NZD sales 1,020.46 1,020.46 1,020.46", exact=True)).to_be_visible()
    expect(look.page.get_by_role("row", name="daily totals NZD").get_by_role("img")).to_be_visible()
    look.text("Hide navigation").click()
    look.resize(1150)
    look.text("statement NZD").evaluate("row => row.scrollIntoView()")
    look.picture("reconciliation")
    look.resize()


def sees_the_plots(look: Window) -> None:
    """Check the plots of a day beside the previous days: orders, money, failures, calls."""
    plots = {
        "shopify/orders": ("dagster/row_count", "current sales NZD", "Shopify API calls"),
        "books/trends": ("Xero API calls", "documents in NZD, Xero", "invoices written", "records failed"),
    }
    for asset, names in plots.items():
        look.open(f"/assets/{asset}?view=overview")
        look.text("Plots").click()
        look.sees(*names)
    look.picture("plots")


def sees_the_lineage(look: Window) -> None:
    """Check that the lineage has every group with its assets."""
    look.open(LINEAGE)
    look.sees(*GROUPS, "orders", "credit_notes", "payments", "reconciliation", "open_failures", "entity_mapping")


def sees_the_sensors(look: Window) -> None:
    """Check that sensors and schedules are switched on, and that the sensors tick."""
    for sensor in SENSORS:
        look.open(f"{LOCATION}/sensors/{sensor}")
        look.sees("Running", re.compile(r"^\d+ runs? requested$"))
    look.open("/automation")
    look.sees(*SENSORS, *SCHEDULES)
    expect(look.page.get_by_role("checkbox", checked=True)).to_have_count(len(SENSORS) + len(SCHEDULES))


def sees_a_schedule(look: Window, house: OpenHouse) -> None:
    """Check that the hourly schedule requests a run of today at ten past the hour."""
    now = house.now()
    tick = now.replace(minute=10, second=0) + timedelta(hours=now.minute >= 10)
    house.pass_time((tick - now).total_seconds())
    look.agree()
    look.open(f"{LOCATION}/schedules/hourly")
    look.sees("Running", "1 run requested")
    look.resize(670)
    look.open("/automation")
    expect(look.page.get_by_role("button", name="run_success").first).to_be_visible()
    look.picture("automation")
    look.resize()


def withstands_a_foreign_page(look: Window, house: OpenHouse) -> None:
    """Check that Dagster executes nothing for a page of another site in the same browser, and returns nothing to it."""
    values = {"page": house.page, "mutation": MUTATION, "escaped": MUTATION.replace('"', '\\"')}
    answers = look.visit(FOREIGN, ATTACK % values, house.page)
    expect(look.text("refused")).to_be_visible()
    look.page.wait_for_load_state("networkidle")
    # 403 for the form and the script without preflight, 405 for the image; the other script fails at its preflight.
    assert sorted(answers) == [403, 403, 405]
    assert "evil" not in house.ask("{instance{concurrencyLimits{concurrencyKey}}}")


def shows_texts_of_others(look: Window, house: OpenHouse) -> None:
    """Check that the UI shows texts of people unchanged, in Markdown and in tables, without links."""
    lines = "\n".join(f"- {escape_markdown(text)}" for text in TEXTS)
    rows = "\n".join(f"| [{escape_markdown(text)}](https://own.example) | x |" for text in TEXTS)
    key = dg.AssetKey(["xero", "items"])
    metadata = {
        "cells": record_table(TableView(("text",), [(text,) for text in TEXTS])),
        "md": dg.MetadataValue.md(f"| a | b |\n|---|---|\n{rows}"),
    }
    with house.dagster() as dagster:
        dagster.instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=key, check_name="all_days_loaded", passed=False, description=lines, metadata=metadata
            )
        )
    look.open("/assets/xero/items?view=checks")
    look.text("Show more").click()
    items = [to_one_line(item) for item in look.page.locator("li").all_text_contents()]
    assert items[-len(TEXTS) :] == [break_links(text) for text in TEXTS]
    cells = {to_one_line(cell) for cell in look.page.locator("td").all_text_contents()}
    assert {to_one_line(text) for text in TEXTS} <= cells
    look.text("[Show Markdown]").click()
    dialogue = look.page.get_by_role("dialog")
    expect(dialogue.locator("tbody tr")).to_have_count(len(TEXTS))
    expect(dialogue.locator("td")).to_have_count(2 * len(TEXTS))
    expect(dialogue.locator("a")).to_have_text([break_links(text) for text in TEXTS])
    foreign = [link for link in look.links() if "evil" in link]
    assert foreign == []
    expect(look.page.locator("b#evil, img[src='x'], del, li h1, li code")).to_have_count(0)


def play(house: OpenHouse, look: Window) -> None:
    """Play all steps in order."""
    backfills(look)
    plans(look)
    meets_a_refusal(look, house)
    sees_the_lineage(look)
    sees_red(look)
    finds_the_reason_in_two_clicks(look)
    mends_it(look, house)
    sees_the_books(look)
    sees_the_plots(look)
    sees_the_sensors(look)
    sees_a_schedule(look, house)


@contextmanager
def opened(folder: Path, album: Path) -> Iterator[tuple[OpenHouse, Window]]:
    """Yield a new system and a browser window of its UI."""
    house = OpenHouse(folder, NOW)
    try:
        house.start_all()
        with window(house, album) as look:
            yield house, look
    finally:
        house.stop()
