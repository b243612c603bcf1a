"""What is printed: every order and record that needs a look, with its reason, and nothing crashes on nothing."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from shopify_xero_pipeline.changes.models import Action, Change, ChangeSet, FieldDiff
from shopify_xero_pipeline.cli import diagnostics_output, output, record_lists
from shopify_xero_pipeline.pipeline.api_quota import DailyQuota
from shopify_xero_pipeline.pipeline.call_forecast import Forecast
from shopify_xero_pipeline.pipeline.setup_diagnostics import Check, Status
from shopify_xero_pipeline.pipeline.sync_report import SyncReport
from shopify_xero_pipeline.reconciliation.comparison import DayReconciliation
from shopify_xero_pipeline.reconciliation.day_summaries import summarize_day
from shopify_xero_pipeline.reconciliation.gift_cards import OtherPosting, RollForward, RollLine
from shopify_xero_pipeline.reconciliation.months import Month
from shopify_xero_pipeline.reconciliation.movements import StatementSection, UnbalancedOrder
from shopify_xero_pipeline.reconciliation.statements import ControlTotal, Statement, StatementLine
from shopify_xero_pipeline.reconciliation.unposted_orders import ListedOrder, listed_orders
from shopify_xero_pipeline.state.invariants import InvariantResult
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.rows import DAY, INSTANT, TEN, order_row, orphaned_order, sync_error

AWKWARD = "[/red] a [bold] reason [link=x]"


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "console", Console(highlight=False, width=240))


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> "Printed":
    return Printed(capsys)


class Printed:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def lines(self) -> list[str]:
        """What was printed since the last look, with single spaces."""
        return [" ".join(line.replace("│", " ").split()) for line in self._capsys.readouterr().out.splitlines()]


def test_days_are_printed_with_their_outcomes_and_money_by_currency(printed: Printed) -> None:
    rows = (
        order_row(),
        order_row(currency="AUD", sales=Decimal("1234.50"), xero_sales=Decimal("1234.49")),
        order_row(outcome="blocked", reason="no rate", documents=0, payments=0),
    )
    output.print_days([summarize_day(DayReconciliation(day=DAY, rows=rows))])
    lines = printed.lines()
    assert "2026-09-21 3 2 1 blocked 2 2 1,234.49 AUD 0.01 AUD" in lines
    assert "10.00 NZD" in lines


def test_what_stands_without_an_order_is_printed_record_by_record_and_what_was_decided_in_short(
    printed: Printed,
) -> None:
    kept = orphaned_order(name="SH-1", kept_because=AWKWARD, decided_at=INSTANT)
    done = orphaned_order(name="SH-2", state="voided")
    output.print_lines(record_lists.orphan_lines([kept, done, orphaned_order()]))
    assert printed.lines() == [
        "in Xero without an order in these books",
        "2026-09-21 SH-2071, order #2071: deleted in Shopify",
        "SH-2071 of 2026-09-21, 46.00 NZD, in Xero: https://go.xero.com/AccountsReceivable/View.aspx?InvoiceID=x-1",
        "to be decided: void it, or keep it",
        "2026-09-21 SH-1, order #2071: deleted in Shopify",
        f"left in Xero since 2026-09-21 00:00 UTC: {AWKWARD}; documents 46.00 NZD, payments 0.00",
        "2026-09-21 SH-2, order #2071: deleted in Shopify",
        "done: nothing of it is live in Xero any more",
        "in Xero's reports, but in no figure above: documents 92.00 NZD, payments 0.00",
    ]
    output.print_lines(record_lists.orphan_lines([]))
    assert printed.lines() == []
    output.print_lines(record_lists.orphan_lines([orphaned_order()] * 53))
    assert "… and 3 more orders; --json names them all" in printed.lines()


def test_a_day_without_orders_is_printed_too(printed: Printed) -> None:
    output.print_days([summarize_day(DayReconciliation(day=DAY, rows=()))])
    assert "2026-09-21 0 0 0 0 0.00" in printed.lines()


def test_nothing_crashes_on_nothing(printed: Printed) -> None:
    output.print_days([])
    output.print_lines(record_lists.order_lines([]))
    output.print_lines(record_lists.conflict_blocks({}))
    output.print_lines(record_lists.failed_record_lines([]))
    output.print_plan([], 0)
    output.print_failures([])
    output.print_report_verdict(SyncReport())
    output.print_pairs({})
    lines = printed.lines()
    assert lines[0] == "no day has been reconciled yet"
    assert "no failed records" in lines
    assert "loading the plan takes 0 write calls to Xero" in lines
    assert lines[-1] == "the books agree"


def test_every_order_that_is_not_simply_posted_is_listed_the_worst_first_and_each_reason_once(printed: Printed) -> None:
    rows = (
        order_row(order_name="#4", outcome="waiting", reason="not paid"),
        order_row(order_name="#1", outcome="blocked", reason=f"{AWKWARD}; enter it by hand"),
        order_row(order_name="#5", outcome="blocked", reason=f"{AWKWARD}; enter it by hand"),
        order_row(order_name="[/#2]", outcome="failed", reason="refused", problems=("sales: 1, 2, 3",)),
        order_row(order_name="#3", problems=("twice",)),
        order_row(order_name="#6"),
    )
    output.print_lines(record_lists.order_lines(listed_orders([DayReconciliation(day=DAY, rows=rows)])))
    lines = printed.lines()
    heads = ["failed", "posted, but unequal", "blocked", "waiting"]
    assert [line for line in lines if line.startswith(tuple(heads))] == [
        "failed 2026-09-21 [/#2] 10.00 NZD",
        "posted, but unequal 2026-09-21 #3 10.00 NZD",
        "blocked 2: 2026-09-21 #1, #5 20.00 NZD",
        "waiting 2026-09-21 #4 10.00 NZD",
    ]
    assert lines[lines.index("blocked 2: 2026-09-21 #1, #5 20.00 NZD") + 1 :][:2] == [
        f"reason {AWKWARD}",
        "what to do enter it by hand",
    ]
    assert "reason refused; sales: 1, 2, 3" in lines
    assert not any("#6" in line for line in lines)


def test_a_long_list_of_orders_is_cut_and_says_where_all_of_them_are(printed: Printed) -> None:
    rows = [order_row(order_name=f"#{n}", outcome="blocked", reason=f"reason {n}; do it") for n in range(30)]
    rows += [order_row(order_name=f"#w{n}", outcome="waiting", reason="not paid") for n in range(20)]
    output.print_lines(record_lists.order_lines(listed_orders([DayReconciliation(day=DAY, rows=tuple(rows))])))
    lines = printed.lines()
    assert sum(line.startswith("blocked") for line in lines) == 25
    assert lines[-1] == "… and 6 more reasons; --json has all of them"
    output.print_lines(record_lists.order_lines(listed_orders([DayReconciliation(day=DAY, rows=tuple(rows[30:]))])))
    named = "waiting 20: 2026-09-21 #w0, #w1, #w2, #w3, #w4, #w5, #w6, #w7 and 12 more 200.00 NZD"
    assert printed.lines()[1] == named


def test_a_conflict_shows_both_sides_and_of_a_contact_only_which_fields_differ(printed: Printed) -> None:
    theirs = Change(
        action=Action.CONFLICT, kind=Kind.PAYMENT, shopify_id="x", natural_key="[bank]|SH-1", order_name="#1",
        order_id="5001", reason="a person put this there", xero_id="abc", amount=TEN, currency="NZD",
        fields=(FieldDiff(field="amount", before="10.00", after=None),),
    )  # fmt: skip
    ours = theirs.model_copy(update={"fields": (), "natural_key": "9|SH-1", "xero_id": None})
    person = Change(
        action=Action.CONFLICT, kind=Kind.CONTACT, shopify_id="7", natural_key="shopify:7", reason="changed",
        fields=(FieldDiff(field="name", before=None, after=None),),
    )  # fmt: skip
    create = person.model_copy(update={"action": Action.CREATE})
    output.print_lines(record_lists.conflict_blocks({DAY: [theirs, ours, person, create]}))
    lines = printed.lines()
    assert lines[1:8] == [
        "conflict 2026-09-21 payment [bank]|SH-1 of #1",
        "in Xero amount 10.00",
        "by Shopify nothing",
        "page https://go.xero.com/Bank/ViewTransaction.aspx?bankTransactionID=abc",
        "reason a person put this there",
        "what to do compare both sides; if Shopify's is right, remove theirs in Xero, then run the day again; "
        "or leave it as it is: shopify-xero dismiss --key '#1' --because TEXT",
        "conflict 2026-09-21 payment 9|SH-1 of #1",
    ]
    assert lines[8] == "by Shopify 10.00 NZD"
    assert "in Xero name (personal data; see both pages)" in lines
    assert sum(line.startswith("conflict 2026") for line in lines) == 3


def test_failed_records_are_listed_with_reason_attempts_and_xeros_name_for_the_call(printed: Printed) -> None:
    due = datetime(2026, 9, 22, 7, 5, tzinfo=UTC)
    passing = sync_error(
        reason="busy", retryable=True, attempts=1, next_attempt_at=due, correlation_id=None, natural_key="[/SH-1]"
    )
    output.print_lines(record_lists.failed_record_lines([sync_error(reason=AWKWARD), passing]))
    lines = printed.lines()
    assert lines == [
        "failed records",
        "failed 1 record",
        f"reason {AWKWARD}",
        "what to do remove the cause, then sync the day again; an unchanged retry fails again",
        "2026-09-21 credit note SH-1001-R77: 2 attempts, request corr-1",
        "failed 1 record",
        "reason busy",
        "what to do run `shopify-xero retry --all`, or wait for the next attempt",
        "2026-09-21 credit note [/SH-1]: 1 attempt, next 22 Sep 07:05 UTC",
    ]


def test_a_reason_that_many_records_failed_for_is_printed_once(printed: Printed) -> None:
    output.print_lines(record_lists.failed_record_lines(sync_error(natural_key=f"SH-{n}") for n in range(27)))
    lines = printed.lines()
    assert sum("Account 601 is archived" in line for line in lines) == 1
    assert "failed 27 records" in lines
    assert sum("credit note SH-" in line for line in lines) == 25
    assert "… and 2 more records; --json has all of them" in lines


def test_a_plan_is_printed_as_counts_and_every_line_that_would_write(printed: Printed) -> None:
    changes = (
        Change(action=Action.CREATE, kind=Kind.INVOICE, shopify_id="1", natural_key="SH-1", order_name="#1",
               amount=Decimal("23.00"), currency="NZD"),
        Change(action=Action.UNCHANGED, kind=Kind.INVOICE, shopify_id="2", natural_key="SH-2"),
        Change(action=Action.BLOCKED, kind=Kind.INVOICE, shopify_id="3", natural_key="SH-3", reason=AWKWARD),
    )  # fmt: skip
    output.print_plan([ChangeSet(kind=Kind.INVOICE, day=DAY, changes=changes)], 1)
    lines = printed.lines()
    assert "invoice 1 · · · 1 · · 1 ·" in lines
    assert "2026-09-21 create invoice SH-1 #1 23.00 NZD" in lines
    assert not any("SH-2" in line or "SH-3" in line for line in lines)


def test_the_verdict_tells_the_figures(printed: Printed) -> None:
    day = DayReconciliation(day=DAY, rows=(order_row(problems=("unequal",)),))
    output.print_report_verdict(SyncReport(days=[day], xero_calls=7))
    lines = printed.lines()
    assert lines[0].startswith("orders 1 posted 1 waiting 0")
    assert lines[1].startswith(
        "unequal 1 difference 0.00 duplicates 0 lost 0 without an order 0 calls: Shopify 0, Xero 7"
    )
    assert lines[2] == "the books do not agree yet: 1 order differs in fields that are not amounts"


def test_a_verdict_that_says_no_shows_the_figure_that_is_not_zero(printed: Printed) -> None:
    day = DayReconciliation(day=DAY, rows=(order_row(problems=("outstanding",), difference=Decimal("95.79")),))
    output.print_report_verdict(SyncReport(days=[day]))
    assert printed.lines()[1:] == [
        "unequal 1 difference 95.79 NZD duplicates 0 lost 0 without an order 0 calls: Shopify 0, Xero 0 seconds 0.0",
        "the books do not agree yet: 1 order differs by 95.79 NZD",
    ]


def test_failures_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_failures(["a step: [/] said so"])
    assert capsys.readouterr() == ("", "failed: a step: [/] said so\n")


def a_month(**given: object) -> Month:
    """A month that sold goods for 20.00 and 3.00 of tax, with a gift card of 5.00."""
    figures = {"shopify": TEN, "mapping": TEN, "xero": TEN}
    lines = (
        StatementLine(side=StatementSection.SALES, what="goods [sold]", account="200 Sales", shopify=TEN),
        StatementLine(side=StatementSection.SALES, what="together", account="200 Sales", **figures),
        StatementLine(
            side=StatementSection.REFUNDS, what="cash", account="603", **(figures | {"xero": Decimal("1234.50")})
        ),
    )
    ties = ControlTotal(column="Xero", text="200 Sales 10.00 = documents 10.00", agrees=True)
    broken = UnbalancedOrder(order_id="1", order_name="#1[0]", posted=DAY, currency="NZD", text=AWKWARD)
    off = ControlTotal(column="mapping", text="off by 1.00", agrees=False)
    cards = RollForward(
        currency="NZD", account="830 Cards",
        lines=(RollLine(what="closing", shopify=TEN, xero=TEN), RollLine(what="others", shopify=None, xero=TEN)),
        others=(OtherPosting(posted=DAY, what="invoice INV-7", amount=TEN, why="not booked by this pipeline"),),
    )  # fmt: skip
    listed = {"day": DAY, "order_name": "#9", "currency": "NZD", "sales": TEN, "mapped_sales": TEN, "xero_sales": TEN}
    plain = {
        "month": "2026-09", "compared": 3, "gift_cards": (cards,),
        "not_compared": (DAY, DAY + timedelta(days=1), DAY + timedelta(days=2), DAY + timedelta(days=4)),
        "statements": (Statement(currency="NZD", lines=lines, identities=(ties, off), broken=(broken,)),),
        "not_posted": (ListedOrder(**listed, outcome="blocked", reason=AWKWARD),),
        "not_equal": (ListedOrder(**listed, outcome="posted", reason="a cent"),),
    }  # fmt: skip
    return Month.model_validate(plain | given)


def test_a_month_is_printed_with_all_that_ties_it_together_or_breaks_it(printed: Printed) -> None:
    output.print_month(a_month())
    lines = printed.lines()
    assert lines.index("sales") + 1 == lines.index("goods [sold] 200 Sales 10.00")
    assert "together 200 Sales 10.00 10.00 10.00 0.00" in lines
    assert lines.index("refunds") + 1 == lines.index("cash 603 10.00 10.00 1,234.50 1,224.50")
    assert "ok Xero: 200 Sales 10.00 = documents 10.00" in lines
    assert "broken mapping: off by 1.00" in lines
    assert f"#1[0]: {AWKWARD}" in lines
    assert "closing 10.00 10.00" in lines
    assert "others 10.00" in lines
    assert "2026-09-21 invoice INV-7: 10.00, not booked by this pipeline" in lines
    assert lines[lines.index("blocked 2026-09-21 #9 10.00 NZD") + 1] == f"reason {AWKWARD}"
    assert "2026-09-21 #9 posted 10.00 NZD 10.00 a cent" in lines
    assert lines[-2:] == [
        "days reconciled: 3; not reconciled yet: 2026-09-21 to 2026-09-23, 2026-09-25",
        "2026-09 does not agree yet: 1 order differs in fields that are not amounts; 1 order of 10.00 NZD is not "
        "in it; 4 days are not compared yet",
    ]


def test_on_a_narrow_terminal_accounts_are_shown_by_code_so_that_no_figure_is_cut(
    printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "console", Console(highlight=False, width=80))
    million = Decimal("-1234567.89")
    line = StatementLine(
        side=StatementSection.SALES,
        what="refund adjustments",
        account="200 Sales",
        shopify=million,
        mapping=million,
        xero=million,
    )
    output.print_month(a_month(statements=(Statement(currency="NZD", lines=(line,), identities=(), broken=()),)))
    lines = printed.lines()
    assert any(line.endswith("200 -1,234,567.89 -1,234,567.89 -1,234,567.89 0.00") for line in lines)
    assert not any("…" in line for line in lines)


def test_a_month_in_which_all_is_well_says_so_and_lists_nothing(printed: Printed) -> None:
    output.print_month(a_month(statements=(), not_posted=(), not_equal=(), not_compared=()))
    assert printed.lines()[-2:] == ["days reconciled: 3", "2026-09 agrees"]


def test_gift_cards_that_no_order_sold_are_named_and_explained(printed: Printed) -> None:
    closing = RollLine(what="closing", shopify=-TEN, xero=-TEN)
    used = OtherPosting(posted=DAY, what="#1[0]", amount=-TEN, why="paid with a gift card that no order sold")
    cards = RollForward(
        currency="NZD", account="830", lines=(closing,), others=(), unsold=(used,), unsold_so_far=TEN, began=DAY
    )
    output.print_month(a_month(gift_cards=(cards,)))
    lines = printed.lines()
    assert any(line.startswith("10.00 was paid with gift cards that no order since 2026-09-21 sold") for line in lines)
    assert "2026-09-21 #1[0]: -10.00, paid with a gift card that no order sold" in lines


def test_a_month_of_which_nothing_is_known_says_so(printed: Printed) -> None:
    nothing = {"compared": 0, "statements": (), "gift_cards": (), "not_posted": (), "not_equal": ()}
    output.print_month(a_month(**nothing))
    assert printed.lines() == ["nothing is known of 2026-09: none of its days has been compared yet"]


def test_facts_are_printed_one_a_line(printed: Printed) -> None:
    output.print_pairs({"days with work left": "[none]"})
    assert printed.lines() == ["days with work left [none]"]


def test_json_goes_to_a_file_to_standard_output_or_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "figures.json"
    output.write_json(file, {"größe": Decimal("1.10"), "day": DAY})
    assert json.loads(file.read_text(encoding="utf-8")) == {"größe": "1.10", "day": "2026-09-21"}
    output.write_json(Path("-"), [1])
    output.write_json(None, [2])
    assert capsys.readouterr().out == "[\n  1\n]\n"


def test_tables_make_way_for_json_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    output.reserve_stdout_for_json(Path("-"))
    output.print_lines(record_lists.failed_record_lines([]))
    assert capsys.readouterr() == ("", "no failed records\n")
    output.reserve_stdout_for_json(None)
    output.print_lines(record_lists.failed_record_lines([]))
    assert capsys.readouterr() == ("no failed records\n", "")


def test_a_backfill_of_several_days_of_quota_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_forecast(
        Forecast(writes=6_000, reads=30, records=250_000, ranges=10, seconds=120.0),
        DailyQuota(remaining=4_900, limit=5_000, is_current=True, blocked_until=None),
    )
    said = capsys.readouterr().out
    assert "250000 records to write in 10 runs: 6030 calls to Xero (6000 to write, 30 to read)" in said
    assert "at least 103 minutes" in said
    assert (
        "5000 calls a day, of which 4900 are left today; 500 are reserved for read-backs: the load takes 2 days" in said
    )


def test_days_that_were_not_begun_are_named_with_what_becomes_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_postponed_days([])
    assert capsys.readouterr().out == ""
    output.print_postponed_days([date(2026, 9, 21), date(2026, 9, 22), date(2026, 10, 1)])
    said = capsys.readouterr().out
    assert "3 days, 2026-09-21 to 2026-09-22, 2026-10-01, were not started" in said
    assert "sync them again after the quota has reset" in said


def test_the_lines_to_paste_are_printed_whole_and_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "console", Console(highlight=False, width=40))
    name = "Bank: [bold] :red_heart:  " + "a long name " * 20
    reason = f"no account; add to books.yaml under payments: '{name}': '604'"
    output.print_remedies([reason, "no rule; enter it by hand", reason])
    assert capsys.readouterr().out == f"add to books.yaml under payments:\n  '{name}': '604'\n\n"


def test_checks_are_printed_with_what_to_do_and_none_is_printed_as_nothing(printed: Printed) -> None:
    diagnostics_output.print_checks([])
    assert printed.lines() == []
    diagnostics_output.print_checks(
        [Check("Xero", Status.PASS, "Demo"), Check("tips", Status.WARN, AWKWARD, "name another")]
    )
    lines = printed.lines()
    assert "pass Xero Demo" in lines
    assert f"warn tips {AWKWARD} name another" in lines


def test_a_broken_promise_is_printed_with_what_to_do(printed: Printed) -> None:
    diagnostics_output.print_invariants(
        [InvariantResult("I10", "a token is kept", 1, ["stuck"]), InvariantResult("I3", "known", 2, [])]
    )
    assert printed.lines()[-1] == "I10: run `shopify-xero login`"


def test_a_warning_is_one_line_however_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "console", Console(highlight=False, width=40))
    said = " ".join(["a [bold] word"] * 20)
    output.print_warning(said)
    assert capsys.readouterr().out == f"warning: {said}\n"
