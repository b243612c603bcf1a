"""No citation that cannot be followed: each page that the code cites exists, and has the section, rule or trap."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("shopify_xero_pipeline", "shopify_xero_pipeline_tests")
PLACE = r"(?:§\d+(?:\.\d+)*|§[A-C]\b|trap \d+|[AB]\.?\d+|E\d+|I\d+)"
CITATION = re.compile(rf"(docs/[\w/]+\.md)((?:,?(?: and| to)? {PLACE}(?:-[EBA]?\d+(?:\.\d+)*)?)*)")
FORMERLY = "fact" + " sheet"
"""What the pages were called when they were not in this repository."""


def citations() -> Iterator[tuple[Path, str, str]]:
    """Yield (file, page, place) of each citation in the code; a range of rules is cited by its first one."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = re.sub(r"\s+", " ", path.read_text())
            for page, places in CITATION.findall(text):
                yield from ((path, page, place) for place in re.findall(PLACE, places) or [""])


def is_there(page: str, place: str) -> bool:
    """Tell whether a page has a section, a rule of its tables, or a trap of its list."""
    file = ROOT / page
    if not (place and file.exists()):
        return file.exists()
    text, name = file.read_text(), re.escape(re.sub(r"^(§|trap )", "", place))
    if place.startswith(("trap", "A.")):
        number = re.escape(place.removeprefix("trap ").removeprefix("A."))
        return (
            re.search(rf"^{number}\. ", re.split("^## (?:A. )?Traps", text, flags=re.MULTILINE)[1], re.MULTILINE)
            is not None
        )
    heading = rf"^#+ (?:.*, )?{name}\.? "
    return re.search(rf"{heading}|^(?:\| |- )?\**{name}\b", text, re.MULTILINE) is not None


def test_every_citation_can_be_followed() -> None:
    found = list(citations())
    assert len(found) > 150
    assert (
        sorted(
            {f"{path.relative_to(ROOT)}: {page} {place}" for path, page, place in found if not is_there(page, place)}
        )
        == []
    )


def test_nothing_cites_a_page_that_is_not_in_the_repository() -> None:
    texts = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    assert [str(path) for path in texts if FORMERLY in path.read_text()] == []
    assert not is_there("docs/" + "nowhere.md", "")
    assert not is_there("docs/contracts/xero.md", "§6.99")
