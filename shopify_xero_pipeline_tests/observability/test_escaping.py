"""No text that people gave becomes a link, a tag, another row or the end of a block, wherever it is shown.

Markdown is read by a parser that is not ours. The Dagster UI's own, remark, is asked in the test of the browser; the
two patterns by which it links addresses in plain text are spelled here.
"""

import re
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from shopify_xero_pipeline.alerts.channels import AlertSource, Mail, Message, PagerDuty, Slack
from shopify_xero_pipeline.alerts.rules import Alert, Severity
from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet, FieldDiff
from shopify_xero_pipeline.cli import output
from shopify_xero_pipeline.clock import ManualClock
from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.defs.metadata.reconciliation import reconciliation_outcome
from shopify_xero_pipeline.defs.metadata.records import plan_metadata
from shopify_xero_pipeline.defs.metadata.statement import statement_metadata
from shopify_xero_pipeline.observability.escaping import (
    JOINER,
    break_links,
    escape_console,
    escape_markdown,
    escape_slack,
    to_one_line,
)
from shopify_xero_pipeline.pipeline.record_views import TableView
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.movements import AccountNames, UnbalancedOrder
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.defs.metadata.test_statement import reconciled
from shopify_xero_pipeline_tests.support.hostile_texts import TEXTS

DAY = date(2026, 9, 21)
ORDER_PAGE = "https://admin.shopify.com/store/goods/orders/5001"
# mdast-util-gfm-autolink-literal, lib/index.js: what remark-gfm looks for in the text that is left.
LINKED = re.compile(r"(https?://|www(?=\.))([-.\w]+)([^ \t\r\n]*)", re.IGNORECASE | re.ASCII)
MAILED = re.compile(r"([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)", re.ASCII)
PARSER = MarkdownIt("gfm-like", {"html": True})
assert PARSER.linkify is not None
PARSER.linkify.set({"fuzzy_link": False})  # a bare name such as books.yaml is no link in GitHub's Markdown

pieces = st.sampled_from([*TEXTS, *"[]()<>!|`*_~#>+-=\\&;:/@.$^\n\r\t 1aB", "https://", "www.", "&amp;", "\u2028", "é"])
texts = st.one_of(st.text(), st.lists(pieces, max_size=12).map("".join))


def inline(source: str) -> list[Token]:
    """Return all that a Markdown text consists of, block by block and within."""
    found: list[Token] = []
    for token in PARSER.parse(source):
        found += [token, *(token.children or [])]
    return found


def shown(source: str) -> str:
    return "".join(token.content for token in inline(source) if token.type in ("text", "text_special"))


def kinds(source: str) -> set[str]:
    return {token.type for token in inline(source)}


@given(text=texts)
def test_a_text_is_shown_as_itself_and_is_nothing_but_text(text: str) -> None:
    escaped = escape_markdown(text)
    plain = break_links(text)
    assert shown(escaped) == plain
    assert kinds(escaped) <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
    assert not LINKED.search(plain)
    assert not MAILED.search(plain)
    assert break_links(plain) == plain


@given(text=texts)
def test_a_text_stays_in_its_link_in_bold_in_its_item_and_in_its_sentence(text: str) -> None:
    escaped = escape_markdown(text)
    for source, allowed in (
        (f"[{escaped}]({ORDER_PAGE})", {"link_open", "link_close"}),
        (f"**x {escaped} x**", {"strong_open", "strong_close"}),
        (f"- {escaped}\n- x", {"bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"}),
        (f"2 of 3: {escaped}, {escaped}", set()),
    ):
        plain = {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
        assert kinds(source) <= plain | allowed, source
    links = [token.attrs["href"] for token in inline(f"[{escaped}]({ORDER_PAGE})") if token.type == "link_open"]
    assert links == [ORDER_PAGE]


@given(text=texts)
def test_a_text_stays_in_its_cell(text: str) -> None:
    found = inline(f"| a | b |\n|---|---|\n| {escape_markdown(text)} | x |\n| y | z |\n")
    cells = [token for token in found if token.type == "td_open"]
    assert len(cells) == 4
    assert not {"link_open", "html_inline", "html_block", "image", "code_inline"} & {token.type for token in found}


def change(text: str) -> Change:
    fields = (FieldDiff(field="reference", before=text, after=text),)
    names = {"shopify_id": "5001/7", "natural_key": text, "order_id": "5001", "order_name": text}
    return Change(action=Action.UPDATE, kind=Kind.INVOICE, reason=text, fields=fields, **names)


@given(text=texts)
def test_no_order_name_number_reason_or_value_leaves_the_diff_of_a_plan(text: str) -> None:
    plan = ChangeSet(kind=Kind.INVOICE, day=DAY, changes=(change(text), change("SH-1")))
    diff = plan_metadata(plan, tables.Links("goods.myshopify.com"))["diff"].value
    found = inline(diff)
    blocks = [token.content for token in found if token.type == "fence"]
    assert len(blocks) == 2
    assert all(re.fullmatch(r"- reference: .*\n\+ reference: .*\n", block) for block in blocks), blocks
    assert {token.attrs["href"] for token in found if token.type == "link_open"} == {ORDER_PAGE}
    assert not {"html_inline", "html_block", "image", "code_inline", "table_open"} & {token.type for token in found}


@given(text=texts)
def test_no_order_name_leaves_its_line_among_what_ties_the_books_together(text: str) -> None:
    broken = UnbalancedOrder(order_id="1", order_name=text, posted=DAY, currency="NZD", text=text)
    day = reconciled(xero="22.99").model_copy(update={"broken": (broken,)})
    found = inline(statement_metadata(day, [day], AccountNames({}))["control totals NZD"].value)
    assert not {"link_open", "html_inline", "html_block", "image", "code_inline", "fence"} & {one.type for one in found}
    assert sum(one.type == "bullet_list_open" for one in found) == 1


@pytest.mark.parametrize("text", TEXTS)
def test_cells_and_names_of_metadata_are_plain_text_on_one_line(text: str) -> None:
    cells = tables.record_table(TableView(("reason",), [(text,)]))
    assert isinstance(cells, dg.TableMetadataValue)
    assert cells.records[0].data["reason"] == to_one_line(text)
    (name,) = tables.Links("goods.myshopify.com").order_pages([("5001", text)])
    assert name == f"{to_one_line(text)} in Shopify"


@pytest.mark.parametrize(
    "text",
    ["#1001", "SH-1218", "SH-1001-R77", "all_loaded of xero/invoices", "GST 15 %", "Xero > Settings", "x = 1 + 2",
     "Smith & Sons", "a_b_c", "books.yaml", "-", "23.00 NZD", "Wäsche (blau)", "2026-09-21: 3 orders!", "#", "+1"],
)  # fmt: skip
def test_plain_words_and_numbers_stay_as_they_are(text: str) -> None:
    assert break_links(text) == text
    assert escape_markdown(f"of {text}") == f"of {text}"
    assert escape_markdown(text) in (text, f"\\{text}")


def test_lines_become_blanks_and_marks_of_direction_are_left_out() -> None:
    assert to_one_line("a\r\nb\x0bc\u2028d\x85e\x00f") == "a b c d e f"
    assert to_one_line("\u202eevil\u202c\u200f") == "evil"
    assert to_one_line("  a \t b  ") == "a b"
    assert to_one_line("👩\u200d🚀") == "👩\u200d🚀"


# -- alerts ------------------------------------------------------------------------------------------------------------


def message(text: str) -> Message:
    return Message(Alert("run:sync", Severity.ERROR, f"It failed. {text}", text, "Run `shopify-xero status`."), NOW)


NOW = datetime(2026, 11, 20, tzinfo=UTC)
CLOCK = ManualClock(datetime(2026, 11, 21, tzinfo=UTC))
SENDER = AlertSource("goods.myshopify.com", "https://dagster.example.com")


@given(text=texts)
def test_slack_is_told_no_link_and_no_mention_but_ours_and_three_lines(text: str) -> None:
    lines = Slack("https://hooks.slack.com/x", SENDER, CLOCK)._text(message(text)).split("\n")
    assert [line.partition(":")[0] for line in lines[1:]] == ["Where", "What to do"]
    for told in (*lines[:2], escape_slack(text)):
        assert not re.search(r"[<>]", told)
        assert not LINKED.search(told)
        assert not MAILED.search(told)
        assert "](" not in told
        assert "`" not in told
        assert not re.search(r"&(?!amp;|lt;|gt;)", told)


@given(text=texts)
def test_a_mail_has_one_subject_and_no_address_in_it_is_linked(text: str) -> None:
    sent: list[EmailMessage] = []

    class Server:
        def __enter__(self) -> "Server":
            return self

        def __exit__(self, *_: object) -> None: ...

        def __getattr__(self, _: str) -> Any:
            return lambda *_, **__: True

        def send_message(self, mail: EmailMessage) -> dict[str, object]:
            sent.append(mail)
            return {}

    connect: Any = Server
    Mail("smtp://mail.example.com", "books@example.com", SENDER, connect=connect).send(message(text))
    read = message_from_bytes(sent[0].as_bytes(policy=policy.SMTP), policy=policy.default)
    assert "\n" not in read["Subject"]
    first, blank, where, when, *rest = read.get_content().splitlines()
    assert (blank, where[:6], when) == ("", "Where:", "When:  2026-11-20 00:00 UTC")
    assert rest == ["", "Run `shopify-xero status`."]
    assert not LINKED.search(f"{first} {where}")
    assert not MAILED.search(f"{first} {where}")


@given(text=texts)
def test_pagerduty_is_told_lines_without_addresses(text: str) -> None:
    payload = PagerDuty("key", SENDER, CLOCK)._event(message(text))["payload"]
    for told in (payload["summary"], payload["custom_details"]["where"]):
        assert to_one_line(told) == told
        assert not LINKED.search(told)


def test_what_to_do_keeps_its_commands_as_they_are_to_be_typed() -> None:
    told = Slack("https://hooks.slack.com/x", SENDER, CLOCK)._text(message("x"))
    assert "What to do: Run `shopify-xero status`." in told
    assert "<https://dagster.example.com" not in told  # the cause has no page
    assert escape_slack("a & b < c") == "a &amp; b &lt; c"
    assert escape_slack("https://evil.example") == f"https:/{JOINER}/evil.example"


# -- the terminal ------------------------------------------------------------------------------------------------------


@given(text=texts)
def test_nothing_steers_the_terminal_or_is_markup_there(text: str) -> None:
    with output.console.capture() as captured:
        output.console.print(f"[red]{escape_console(text)}[/]|", soft_wrap=True)
    printed = captured.get().removesuffix("|\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", printed)
    plain = "\n".join(to_one_line(line) for line in text.split("\n"))
    assert printed.replace(JOINER, "") == plain.replace(JOINER, "")


def test_a_day_with_such_orders_is_shown_whole() -> None:
    """Every check of a day and its metadata are made of such texts without an error."""
    from shopify_xero_pipeline_tests.support.rows import order_row

    rows = tuple(order_row(order_name=text, outcome="failed", reason=text, problems=(text,)) for text in TEXTS)
    day = DayReconciliation(day=DAY, rows=rows)
    passed, says, _ = reconciliation_outcome("totals_equal", day, tables.Links("goods.myshopify.com"))
    assert not passed
    assert kinds(escape_markdown(says)) <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
