"""A window of Chromium onto the Dagster UI: what a person does there, and what a person waits to see.

Everything is awaited by what the page shows. Nothing is known here of the story that is told with it.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from shopify_xero_pipeline_tests.campaigns.browser.house import OpenHouse
from shopify_xero_pipeline_tests.campaigns.dagster_runs.house import PATIENCE

QUIET = [
    "--no-sandbox",  # Chromium's own does not run as root, as whom a container mostly does
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # New Chromium keeps foreign pages from this machine by itself. Not every browser does; the guard relies on none.
    "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests",
]
WIDTH, HEIGHT = 1400, 1000
LOCATION = "/locations/__repository__@shopify_xero_pipeline"
MOVED = """(() => {
  const Real = window.unmoved ??= Date, moved = %d;
  window.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + moved); }
    static now() { return Real.now() + moved; }
  };
})()"""
"""The page's clock, so that "3 minutes ago" is reckoned on the clock that the house shares."""


def chromium() -> str | None:
    """Return the path of Debian's Chromium, if it is installed."""
    return shutil.which("chromium")


class Window:
    """One window, and the album into which its pictures go."""

    def __init__(self, page: Page, house: OpenHouse, album: Path) -> None:
        self.page = page
        self._house = house
        self._album = album

    def agree(self) -> None:
        """Let the pages opened from now on know the time of the house."""
        self.page.add_init_script(MOVED % (self._house.moved() * 1000))

    def open(self, path: str) -> None:
        """Open a page of the UI."""
        self.page.goto(f"{self._house.page}{path}")

    def visit(self, address: str, content: str, asked: str) -> list[int]:
        """Open a page of another site; return what an address answers to what it sends, added to as it comes."""
        answers: list[int] = []
        self.page.route(f"{address}**", lambda route: route.fulfill(body=content, content_type="text/html"))
        self.page.on("response", lambda one: answers.append(one.status) if one.url.startswith(asked) else None)
        self.page.goto(address)
        return answers

    def sees(self, *texts: str | re.Pattern[str]) -> None:
        """Wait until the page shows all of these."""
        for text in texts:
            expect(self.text(text).first).to_be_visible()

    def text(self, text: str | re.Pattern[str]) -> Locator:
        """Return what consists of a text."""
        return self.page.get_by_text(text, exact=True)

    def materialise(self, job: str, days: str) -> None:
        """Launch a job by its dialogue, for a day or for a range like `[2026-09-21...2026-10-04]`, and follow it."""
        self.open(f"{LOCATION}/jobs/{job}")
        self.page.get_by_role("button", name="Materialize all").click()
        dialogue = self.page.get_by_role("dialog")
        dialogue.get_by_role("textbox").first.fill(days)
        dialogue.get_by_role("textbox").first.press("Enter")
        dialogue.get_by_role("button", name=re.compile(r"Launch (1 run|backfill)")).click()
        self.text("View").click()

    def open_day(self, asset: str, day: str) -> None:
        """Open the page of an asset's day."""
        self.open(f"/assets/{asset}?view=partitions&partition={day}")
        self.sees("Latest materialization", "Metadata")

    def open_check(self, asset: str, check: str) -> None:
        """Open the days of an asset's check."""
        self.open(f"/assets/{asset}?view=checks&checkDetail={check}")
        self.sees("Execution history")
        self.text("Partitions").last.click()

    def pick(self, day: str) -> None:
        """Pick a day from the list beside."""
        self.page.locator("span").filter(has_text=day).click()

    def reads(self, *texts: str) -> Locator:
        """Open what is too long to stand in its place, wait until it says this, and return it."""
        self.text("[Show Markdown]").first.click()
        dialogue = self.page.get_by_role("dialog")
        for text in texts:
            expect(dialogue).to_contain_text(text)
        return dialogue

    def row(self, asset: str) -> Locator:
        """Return an asset's row of the Catalog, by its name there."""
        name = self.page.get_by_role("link", name=asset)
        return self.page.locator("div", has=name).filter(has=self.page.get_by_role("checkbox")).last

    def node(self, asset: str) -> Locator:
        """Return an asset's box in the lineage, which bears its colour; it must be small enough to have nothing else.

        Several assets of different groups have the same name there; theirs is the place that their edges give them.
        """
        *_, name = asset.split("/")
        boxes = self.page.locator("[class*=minimalAssetNodeBox]").filter(has=self.text(name))
        return boxes.nth(1) if asset == f"xero/{name}" else boxes.first

    def reads_in_place(self, *texts: str) -> None:
        """Wait until the page shows all of these without anything being unfolded, each in a cell of a table."""
        for text in texts:
            expect(self.page.locator("td", has_text=text).last).to_be_visible()
        expect(self.page.get_by_role("dialog")).to_have_count(0)

    def links(self) -> list[str]:
        """Return where the links of the page lead."""
        found: list[str] = self.page.locator("a").evaluate_all("links => links.map(link => link.href)")
        return found

    def resize(self, height: int = HEIGHT) -> None:
        """Make the window as high as this, and as wide as ever."""
        self.page.set_viewport_size({"width": WIDTH, "height": height})

    def picture(self, name: str) -> None:
        """Take a picture of what can be seen."""
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=self._album / f"{name}.png", animations="disabled")


@contextmanager
def window(house: OpenHouse, album: Path) -> Iterator[Window]:
    """Open a window."""
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=QUIET)
        try:
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, timezone_id="Pacific/Auckland")
            page.set_default_timeout(PATIENCE * 1000)
            look = Window(page, house, album)
            look.agree()
            yield look
        finally:
            browser.close()
