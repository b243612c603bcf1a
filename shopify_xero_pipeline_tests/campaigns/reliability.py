"""The page `docs/reliability.md`, whose sections the campaigns write with `--publish`.

This module only contains the page and its markers; each campaign writes its own text and figures. A section is enclosed
by two comments, so that a campaign replaces its own section only.
"""

import re
import sqlite3
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
ORDER = ("invariants", "protocol", "planted-bugs", "constants", "processes", "state-damage")
"""The sections in the order of the page; others follow by name."""
HEAD = """# Reliability

The invariants of the write protocol, and the campaigns that test it. Each campaign writes its own section with its
figures and its date; do not edit those by hand. [write-protocol.md](write-protocol.md) describes the protocol.
"""


def write_section(name: str, markdown: str, page: Path = PAGE, head: str = HEAD) -> None:
    """Write a campaign's section in place of its previous one; the other sections do not change.

    Args:
        name: the name of the section, in lower case with hyphens: `state-damage`.
        markdown: the section with its heading (`## ...`).
        page: the page; created if it does not exist.
        head: the beginning of the page, before its sections.
    """
    sections = _sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    sections[name] = markdown.strip()
    page.parent.mkdir(parents=True, exist_ok=True)
    parts = [f"<!-- {key} -->\n{sections[key]}\n<!-- end {key} -->\n" for key in sorted(sections, key=_place)]
    page.write_text("\n".join([head, *parts]), encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table with thousands separators; columns of numbers are aligned to the right.

    Args:
        head: the headings.
        rows: the cells of each row, in the order of the headings.
    """
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    numbers = [all(_is_number(row[at]) for row in cells) for at in range(len(head))] if cells else [False] * len(head)
    rule = ["--:" if number else "---" for number in numbers]
    return "\n".join("| " + " | ".join(row) + " |" for row in [list(head), rule, *cells])


def measured() -> str:
    """Return the line with the date and the versions of a measurement."""
    python = ".".join(map(str, sys.version_info[:3]))
    libraries = ", ".join(f"{name} {version(name)}" for name in ("httpx", "SQLAlchemy"))
    return (
        f"Measured on {datetime.now(UTC):%-d %B %Y} with Python {python}, SQLite {sqlite3.sqlite_version}, {libraries}."
    )


def _sections(text: str) -> dict[str, str]:
    matches = re.finditer(r"<!-- (?P<name>[a-z0-9-]+) -->\n(?P<body>.*?)\n<!-- end (?P=name) -->", text, re.DOTALL)
    return {match["name"]: match["body"] for match in matches}


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[\d,.]+( %)?|-", cell) is not None
