"""What a person does who has only the Dagster UI: looks, syncs days, plans one, meets a refusal, mends it, looks again.

The shop and the refused Invoice are those of the README. Each step waits for what the page has to say; each picture of
the README is taken on the way.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import expect

from shopify_xero_pipeline_tests.browser.house import OpenHouse
from shopify_xero_pipeline_tests.browser.window import LOCATION, Window, window

NOW = datetime(2026, 10, 12, 20, 15, tzinfo=UTC)  # 13 October, 09:15 in the shop: the next hour is far enough away
DAY, BEFORE = "2026-10-12", "[2026-09-21...2026-10-11]"
GROUPS = ("shopify", "changes", "xero", "books", "state")
LINEAGE = "/asset-groups?expanded=" + ",".join(f"global@global:{group}" for group in GROUPS)
LIMIT = "You have reached the limit of invoices you can approve"
WAITING = (
    "waiting invoice 5000000247602 #1220 237.32 NZD "
    "waiting for the first payment (post_when: paid); Shopify calls it pending"
)
SENSORS = ("alerts", "changed_orders", "dead_runs", "unfinished_writes")
SCHEDULES = ("hourly", "nightly", "nightly_mapping_checks")
PICTURES = {"lineage", "plan", "red_check", "reconciliation", "plots", "automation"}


def backfills(look: Window) -> None:
    """The days before are synced as one backfill."""
    look.materialise("sync", BEFORE)
    look.sees("21 partitions", "100% completed")
    expect(look.text("Status").locator("..")).to_contain_text("Succeeded")


def plans(look: Window) -> None:
    """A day is planned and nothing is written: the plan stands there as a table and as a diff."""
    look.materialise("plan", DAY)
    look.sees("Success")
    look.open_day("changes/invoices", DAY)
    for cells in ("create invoice SH-1218 #1218 194.99 NZD", WAITING):
        expect(look.page.get_by_role("row", name=cells, exact=True)).to_be_visible()
    look.picture("plan")
    look.reads("+ create invoice SH-1218", "+ number: SH-1218", "+ date: 2026-10-12")


def meets_a_refusal(look: Window, house: OpenHouse) -> None:
    """Xero refuses an Invoice: the day's check is red and says which, why, and what comes next."""
    house.spoil("/Invoices", kind="refused", method=None, body="SH-1218", times=None, answer=LIMIT)
    look.materialise("sync", DAY)
    look.sees("Success")
    look.open_check("xero/invoices", "all_loaded")
    look.sees(re.compile(r"^Failed\s*\(1\)$"), re.compile(r"^Passed\s*\(21\)$"))
    look.pick(DAY)
    told = look.reads("invoice SH-1218", f"Xero refused it: {LIMIT}", "12 Oct")
    expect(told.get_by_role("link", name="#1218")).to_have_attribute("href", re.compile("/orders/5000000247600$"))
    look.picture("red_check")


def mends_it(look: Window, house: OpenHouse) -> None:
    """The cause is mended and the day synced again: the check is green."""
    house.mend()
    look.materialise("sync", DAY)
    look.sees("Success")
    look.open_check("xero/invoices", "all_loaded")
    look.sees(re.compile(r"^Failed\s*\(0\)$"), re.compile(r"^Passed\s*\(22\)$"))


def sees_the_books(look: Window) -> None:
    """Shopify, mapping and Xero agree on the day, and the fortnight is drawn beside it."""
    look.open_day("books/reconciliation", DAY)
    expect(look.page.get_by_role("row", name="NZD sales 807.88 807.88 807.88", exact=True)).to_be_visible()
    expect(look.page.get_by_role("row", name="documents by day in NZD").get_by_role("img")).to_be_visible()
    look.text("Hide navigation").click()
    look.resize(1150)
    look.text("statement in NZD").evaluate("row => row.scrollIntoView()")
    look.picture("reconciliation")
    look.resize()


def sees_the_plots(look: Window) -> None:
    """The day's numbers are drawn beside those of the days before: orders, money, failures, calls."""
    drawn = {
        "xero/invoices": ("created", "failed", "money posted in NZD", "calls to Xero"),
        "shopify/orders": ("dagster/row_count", "sales now in NZD", "calls to Shopify"),
    }
    for asset, names in drawn.items():
        look.open(f"/assets/{asset}?view=overview")
        look.text("Plots").click()
        look.sees(*names)
    look.picture("plots")


def sees_the_lineage(look: Window) -> None:
    """Every group is there, each with its assets."""
    look.open(LINEAGE)
    look.sees(*GROUPS, "orders", "credit_notes", "payments", "reconciliation", "entity_mapping")
    look.picture("lineage")


def sees_the_sensors(look: Window) -> None:
    """Sensors and schedules are switched on, and the sensors tick."""
    for sensor in SENSORS:
        look.open(f"{LOCATION}/sensors/{sensor}")
        look.sees("Running", re.compile(r"^\d+ runs? requested$"))
    look.open("/automation")
    look.sees(*SENSORS, *SCHEDULES)
    expect(look.page.get_by_role("checkbox", checked=True)).to_have_count(len(SENSORS) + len(SCHEDULES))


def sees_a_schedule(look: Window, house: OpenHouse) -> None:
    """At ten past the hour the hourly schedule asks for a run of today."""
    now = house.now()
    tick = now.replace(minute=10, second=0) + timedelta(hours=now.minute >= 10)
    house.pass_time((tick - now).total_seconds())
    look.agree()
    look.open(f"{LOCATION}/schedules/hourly")
    look.sees("Running", "1 run requested")
    look.resize(620)
    look.open("/automation")
    expect(look.page.get_by_role("button", name="run_success").nth(1)).to_be_visible()
    look.picture("automation")
    look.resize()


def tell(house: OpenHouse, look: Window) -> None:
    """Tell all of it, in its order."""
    backfills(look)
    plans(look)
    meets_a_refusal(look, house)
    mends_it(look, house)
    sees_the_lineage(look)
    sees_the_books(look)
    sees_the_plots(look)
    sees_the_sensors(look)
    sees_a_schedule(look, house)


@contextmanager
def opened(folder: Path, album: Path) -> Iterator[tuple[OpenHouse, Window]]:
    """Give the house in which nothing has happened yet, and a window onto it."""
    house = OpenHouse(folder, NOW)
    try:
        house.start_all()
        with window(house, album) as look:
            yield house, look
    finally:
        house.stop()
