"""Output of `doctor` and `alerts`: the checks of a set-up, invariants, tax entries and present alerts."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from shopify_xero_pipeline.alerts.rules import Alert
from shopify_xero_pipeline.books.tax_usage import MatchedTaxes, TaxUsage
from shopify_xero_pipeline.cli import output
from shopify_xero_pipeline.observability.escaping import escape_console as escape
from shopify_xero_pipeline.pipeline.diagnostics import remedy
from shopify_xero_pipeline.pipeline.record_views import TableView, join_first
from shopify_xero_pipeline.pipeline.setup_diagnostics import Check, Status
from shopify_xero_pipeline.reconciliation.verdict import count_of
from shopify_xero_pipeline.state.invariants import InvariantResult

STATUS_TEXTS = {Status.PASS: "[green]pass[/]", Status.WARN: "[yellow]warn[/]", Status.FAIL: "[red]fail[/]"}
MAX_TAXES = 12  # per entry, which may match thousands; --json has all of them


def print_checks(checks: Sequence[Check]) -> None:
    """Print the checks of a set-up, with a remedy for each that did not pass.

    Args:
        checks: results in the order of the checks.
    """
    if not checks:
        return
    table = Table("", "check", "result", "what to do", title="set-up")
    for check in checks:
        table.add_row(STATUS_TEXTS[check.status], escape(check.name), escape(check.message), escape(check.remedy))
    output.console.print(table)
    output.print_remedies(check.remedy for check in checks)


def print_invariants(results: Sequence[InvariantResult]) -> None:
    """Print the invariants and their violations.

    Args:
        results: one for each invariant.
    """
    if not results:
        return
    table = Table("", "invariant", "checked", "violations", title="invariants")
    for result in results:
        violations = (
            f"[red]{escape(join_first(result.violations, 5, '; '))}[/]" if result.violations else "[green]none[/]"
        )
        notes = f"\n[yellow]note: {escape(join_first(result.noted, 5, '; '))}[/]" if result.noted else ""
        table.add_row(result.number, result.description, str(result.checked), violations + notes)
    output.console.print(table)
    for result in results:
        if result.violations:
            output.console.print(f"{result.number}: {remedy(result)}", markup=False, soft_wrap=True)


def print_tax_rules(matches: Iterable[MatchedTaxes]) -> None:
    """Print the taxes that each tax entry of `books.yaml` has matched; nothing if no tax has occurred yet.

    Args:
        matches: one for each tax entry.
    """
    rules = list(matches)
    if not any(rule.taxes for rule in rules):
        return
    rows = []
    for rule in rules:
        few = [_format_tax(tax) for tax in rule.taxes[:MAX_TAXES]]
        more = [f"and {len(rule.taxes) - MAX_TAXES} more"] if len(rule.taxes) > MAX_TAXES else []
        rows.append((rule.setting, rule.criteria, rule.goes_to, "; ".join([*few, *more]) or "nothing yet"))
    columns = ("tax entry", "condition", "posted to", "matched")
    output.print_table(TableView(columns, rows, "taxes of the days reconciled so far"))


def _format_tax(usage: TaxUsage) -> str:
    place = "-".join(filter(None, (usage.country, usage.province)))
    name = " + ".join(tax.label for tax in usage.taxes) + (f" ({place})" if place else "")
    return f"{name}: {sum(usage.amounts):,.2f} {usage.currency} of {count_of(usage.orders, 'order')}"


def print_alerts(alerts: Sequence[Alert]) -> None:
    """Print the present alerts.

    Args:
        alerts: the most severe first.
    """
    if not alerts:
        output.console.print("no alerts")
        return
    rows = [(alert.severity, alert.summary, alert.location, alert.action) for alert in alerts]
    output.print_table(TableView(("severity", "what happened", "where", "what to do"), rows, "alerts"))
