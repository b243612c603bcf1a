"""`docs/reliability.md`: what the campaigns measured, written by the campaigns themselves, each its own section.

Only the page and its markers belong here; what is measured and how it is told is each campaign's business. A section
stands between two comments, so that a campaign replaces its own and no other, in whatever order they are run.
"""

import re
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
ORDER = ("protocol", "planted-bugs", "constants", "processes", "state-damage")
"""The sections in the order of the page; others follow by name."""
HEAD = """# Reliability

What was run against the write protocol and what came of it. Each section is written by the campaign that measured it,
on the day it names; nothing on this page is entered by hand. The protocol itself: [architecture.md](architecture.md).
"""


def write_section(name: str, markdown: str, page: Path = PAGE) -> None:
    """Put a campaign's section on the page, in place of the one it wrote before; the others are left as they are.

    Args:
        name: of the section, in lower case with hyphens: `state-damage`.
        markdown: the section with its own heading (`## ...`).
        page: the page; made if it is not there.
    """
    held = _sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    held[name] = markdown.strip()
    page.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"<!-- {one} -->\n{held[one]}\n<!-- end {one} -->\n" for one in sorted(held, key=_place)]
    page.write_text("\n".join([HEAD, *parts]), encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; whole numbers get thousands separators and stand to the right."""
    cells = [[f"{one:,}" if isinstance(one, int) else str(one) for one in row] for row in rows]
    numbers = [all(_is_number(row[at]) for row in cells) for at in range(len(head))] if cells else [False] * len(head)
    rule = ["--:" if number else "---" for number in numbers]
    return "\n".join("| " + " | ".join(row) + " |" for row in [list(head), rule, *cells])


def measured() -> str:
    """Return the line that says when and with what a section was measured."""
    python = ".".join(map(str, sys.version_info[:3]))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("httpx", "SQLAlchemy"))
    return (
        f"Measured on {datetime.now(UTC):%-d %B %Y} with Python {python}, SQLite {sqlite3.sqlite_version}, {libraries}."
    )


def _sections(text: str) -> dict[str, str]:
    found = re.finditer(r"<!-- (?P<name>[a-z0-9-]+) -->\n(?P<body>.*?)\n<!-- end (?P=name) -->", text, re.DOTALL)
    return {one["name"]: one["body"] for one in found}


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[\d,.]+( %)?|-", cell) is not None
