"""A Chromium window of the Dagster UI, with the actions of a person and the texts that a person waits for.

Each action waits for the content of the page. The steps themselves are in `story.py`.
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
    "--no-sandbox",  # Chromium's sandbox does not run as root, the usual user of a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # New versions of Chromium block requests of foreign pages to this machine. Other browsers may not; the guard needs
    # no help of the browser.
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
"""The page's clock, so that "3 minutes ago" refers to the shared clock."""


def chromium() -> str | None:
    """Return the path of Debian's Chromium; None if it is not installed."""
    return shutil.which("chromium")


class Window:
    """One window, and the folder of its screenshots."""

    def __init__(self, page: Page, house: OpenHouse, album: Path) -> None:
        self.page = page
        self._house = house
        self._album = album

    def agree(self) -> None:
        """Set the shared time in pages that are opened from now on."""
        self.page.add_init_script(MOVED % (self._house.clock_offset() * 1000))

    def open(self, path: str) -> None:
        """Open a page of the UI."""
        self.page.goto(f"{self._house.page}{path}")

    def visit(self, address: str, content: str, target: str) -> list[int]:
        """Open a page of another site.

        Args:
            address: the address of the page.
            content: its HTML.
            target: the address that it attacks.

        Returns:
            The statuses of the target's responses, extended as they arrive.
        """
        answers: list[int] = []
        self.page.route(f"{address}**", lambda route: route.fulfill(body=content, content_type="text/html"))
        self.page.on("response", lambda got: answers.append(got.status) if got.url.startswith(target) else None)
        self.page.goto(address)
        return answers

    def sees(self, *texts: str | re.Pattern[str]) -> None:
        """Wait until the page shows all of these texts."""
        for text in texts:
            expect(self.text(text).first).to_be_visible()

    def text(self, text: str | re.Pattern[str]) -> Locator:
        """Return the elements with exactly this text."""
        return self.page.get_by_text(text, exact=True)

    def materialise(self, job: str, days: str) -> None:
        """Launch a job in its dialogue for a day or a range like `[2026-09-21...2026-10-04]`, and open the run."""
        self.open(f"{LOCATION}/jobs/{job}")
        self.page.get_by_role("button", name="Materialize all").click()
        dialogue = self.page.get_by_role("dialog")
        dialogue.get_by_role("textbox").first.fill(days)
        dialogue.get_by_role("textbox").first.press("Enter")
        dialogue.get_by_role("button", name=re.compile(r"Launch (1 run|backfill)")).click()
        self.text("View").click()

    def open_day(self, asset: str, day: str) -> None:
        """Open the page of one partition of an asset."""
        self.open(f"/assets/{asset}?view=partitions&partition={day}")
        self.sees("Latest materialization", "Metadata")

    def open_check(self, asset: str, check: str) -> None:
        """Open the partitions of an asset's check."""
        self.open(f"/assets/{asset}?view=checks&checkDetail={check}")
        self.sees("Execution history")
        self.text("Partitions").last.click()

    def pick(self, day: str) -> None:
        """Select a day in the list."""
        self.page.locator("span").filter(has_text=day).click()

    def reads(self, *texts: str) -> Locator:
        """Open the dialogue with a long text, wait until it contains these texts, and return it."""
        self.text("[Show Markdown]").first.click()
        dialogue = self.page.get_by_role("dialog")
        for text in texts:
            expect(dialogue).to_contain_text(text)
        return dialogue

    def row(self, asset: str) -> Locator:
        """Return an asset's row of the Catalog."""
        name = self.page.get_by_role("link", name=asset)
        return self.page.locator("div", has=name).filter(has=self.page.get_by_role("checkbox")).last

    def node(self, asset: str) -> Locator:
        """Return an asset's box in the lineage, which has its colour; it must be too small for other content.

        Several assets of different groups have the same name; the order of their boxes follows from their edges.
        """
        *_, name = asset.split("/")
        boxes = self.page.locator("[class*=minimalAssetNodeBox]").filter(has=self.text(name))
        return boxes.nth(1) if asset == f"xero/{name}" else boxes.first

    def reads_in_place(self, *texts: str) -> None:
        """Wait until cells of tables on the page contain these texts, without a dialogue."""
        for text in texts:
            expect(self.page.locator("td", has_text=text).last).to_be_visible()
        expect(self.page.get_by_role("dialog")).to_have_count(0)

    def links(self) -> list[str]:
        """Return the targets of the page's links."""
        links: list[str] = self.page.locator("a").evaluate_all("links => links.map(link => link.href)")
        return links

    def resize(self, height: int = HEIGHT) -> None:
        """Set the height of the window; the width is fixed."""
        self.page.set_viewport_size({"width": WIDTH, "height": height})

    def picture(self, name: str) -> None:
        """Store a screenshot of the visible part."""
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
