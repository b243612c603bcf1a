"""`docs/books.md` says what the books do: its figures, its policies, its reasons, each looked up on the page."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from shopify_xero_pipeline.books.contacts import build_contact, with_id_suffix
from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline_tests.books.examples import EXAMPLES, two_called_the_same
from shopify_xero_pipeline_tests.books.page import (
    BOOKS_MD,
    JOURNAL,
    LINES,
    MONEY,
    Table,
    journal_rows,
    line_rows,
    money_rows,
    tables,
)
from shopify_xero_pipeline_tests.books.policy_examples import JOURNALS
from shopify_xero_pipeline_tests.books.reasons_in_source import ANY, reasons

PAGE = BOOKS_MD.read_text(encoding="utf-8")
TABLES = list(tables(PAGE))
WORKED = re.compile(r"\d+[ab]?\. ")
DEFAULTS = BooksPolicy()


def only(heading: str, header: tuple[str, ...]) -> Table:
    """Return the one table with these columns under a heading."""
    (found,) = [table for table in TABLES if table.heading == heading and table.header[: len(header)] == header]
    return found


CHART = {row[0]: row[1] for row in only("The accounts", ("account", "name")).rows}


def heading_of(example: str) -> str:
    """Return the heading of a worked example."""
    (found,) = {table.heading for table in TABLES if table.heading.startswith(f"{example}. ")}
    return found


@pytest.mark.parametrize("number", EXAMPLES)
def test_each_worked_example_has_the_documents_money_and_journal_of_its_order(number: str) -> None:
    books, heading = EXAMPLES[number].kept(), heading_of(number)
    assert list(only(heading, LINES).rows) == line_rows(books)
    assert list(only(heading, MONEY).rows) == money_rows(books)
    assert list(only(heading, JOURNAL).rows) == journal_rows(books, CHART)


def test_the_twelve_examples_are_all_there_and_no_table_of_another() -> None:
    named = {table.heading.partition(".")[0] for table in TABLES if WORKED.match(table.heading)}
    assert named == {*EXAMPLES, "7"}
    assert len({re.sub("[ab]$", "", name) for name in named}) == 12


def test_the_two_customers_of_the_seventh_example_are_the_contacts_of_the_page() -> None:
    first, second = (build_contact(person, DEFAULTS) for person in two_called_the_same())
    rows = [(one.contact_number, one.name, one.email or "") for one in (first, with_id_suffix(second))]
    assert list(only(heading_of("7"), ("contact number",)).rows) == rows


def test_each_journal_beside_a_policy_is_that_of_the_order_its_caption_names() -> None:
    found = {
        table.caption: table.rows for table in TABLES if table.header == JOURNAL and not WORKED.match(table.heading)
    }
    assert set(found) == set(JOURNALS)
    for caption, rows in found.items():
        assert list(rows) == journal_rows(JOURNALS[caption].kept(), CHART), caption


def entries(table: Table) -> Iterator[list[tuple[str, ...]]]:
    """Yield the rows of each entry of a journal; an entry begins where it is named."""
    entry: list[tuple[str, ...]] = []
    for row in table.rows:
        if row[0] and entry:
            yield entry
            entry = []
        entry.append(row)
    yield entry


def test_in_every_journal_entry_the_debits_are_the_credits() -> None:
    journals = [entry for table in TABLES if table.header == JOURNAL for entry in entries(table)]
    assert len(journals) > 40
    for entry in journals:
        debits, credited = (sum((Decimal(row[side] or 0) for row in entry), Decimal(0)) for side in (2, 3))
        assert debits == credited > 0, entry
        assert all(bool(row[2]) != bool(row[3]) for row in entry), entry


def settings_of(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every setting of `books.yaml` with its type: `refund.uncovered`; entries of lists by their own names."""
    for name, field in model.model_fields.items():
        here = f"{path}{name}"
        kinds = [field.annotation, *get_args(field.annotation)]
        groups = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        yield here, field.annotation
        for group in groups:
            yield from settings_of(group, f"{here}." if group is field.annotation else "")


def test_every_setting_of_books_yaml_is_explained() -> None:
    settings = [name for name, _ in settings_of(BooksPolicy)]
    assert len(settings) > 40
    groups = {"refund", "rounding"}  # each holds one setting, which is explained by its whole name
    assert [name for name in settings if f"`{name}`" not in PAGE and name not in groups] == []


def test_every_value_a_setting_can_have_is_explained() -> None:
    values = [
        (name, value)
        for name, kind in settings_of(BooksPolicy)
        if get_origin(kind) is Literal
        for value in get_args(kind)
    ]
    assert len(values) >= 16
    assert [pair for pair in values if f"`{pair[1]}`" not in PAGE] == []


def default_of(path: str) -> object:
    value: object = DEFAULTS
    for name in path.split("."):
        value = getattr(value, name)
    return value


def test_the_defaults_on_the_page_are_the_defaults() -> None:
    rows = [row for table in TABLES if table.header[:2] == ("setting", "default") for row in table.rows]
    stated = {row[0].strip("`"): row[1].strip("`") for row in rows if row[1].startswith("`")}
    assert len(stated) >= 18
    assert stated == {path: str(default_of(path)).replace("True", "true") for path in stated}


def test_the_value_marked_as_default_is_the_default() -> None:
    marked = {}
    for table in TABLES:
        if table.header[0] == "value":
            (default,) = [row[0] for row in table.rows if "(default)" in row[0]]
            marked[table.heading.split("`")[1]] = default.split("`")[1]
    assert len(marked) == 6
    assert marked == {path: default_of(path) for path in marked}


def test_the_chart_has_every_account_of_the_defaults() -> None:
    codes = {value for value in DEFAULTS.accounts.model_dump().values() if isinstance(value, str)}
    assert codes | set(DEFAULTS.payments.values()) <= set(CHART)


REASONS = [row[0] for row in only("What can be blocked, and how to unblock it", ("reason",)).rows]


def says(row: str, wording: str) -> bool:
    """Return whether a reason of the source begins as a row of the page has it."""
    return wording.startswith(row.removesuffix(ANY).rstrip())


def test_every_reason_in_the_source_has_its_row() -> None:
    wordings = reasons()
    assert len(wordings) > 30
    assert [wording for wording in wordings if not any(says(row, wording) for row in REASONS)] == []


def test_every_row_stands_for_a_reason_in_the_source() -> None:
    assert [row for row in REASONS if not any(says(row, wording) for wording in reasons())] == []
    assert len(REASONS) == len(set(REASONS))


def test_every_link_of_the_page_leads_to_a_heading_of_it() -> None:
    slugs = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("#")
    }
    links = re.findall(r"\]\(#([^)]*)\)", PAGE)
    assert len(links) > 10
    assert set(links) <= slugs


def test_the_readme_leads_accountants_to_the_page() -> None:
    readme = (BOOKS_MD.parents[1] / "README.md").read_text(encoding="utf-8")
    assert "(docs/books.md)" in readme
