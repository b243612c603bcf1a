"""Commands for records that need a person: `retry` retries failed records, `dismiss` records a decision.

A decision takes a failed record off the list, or leaves a record without an order or a conflict as it is in Xero.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shopify_xero_pipeline.cli import exit_codes, options

if TYPE_CHECKING:
    from datetime import date

    from shopify_xero_pipeline.changes.models import Change
    from shopify_xero_pipeline.pipeline.sync import SyncService


@click.command()
@options.record_options
@click.option("--all", "everything", is_flag=True, help="All failed records.")
@options.JSON
@options.report_errors
def retry(
    kind: str | None, shopify_id: str | None, natural_key: str | None, everything: bool, json_file: Path | None
) -> None:
    """Retry failed records now; dismissed records only if you name them.

    With --key, also revoke a decision about records without an order or about a conflict.
    """
    from shopify_xero_pipeline.cli import job_runner, output, progress, record_lists
    from shopify_xero_pipeline.pipeline import conflicts, day_issues
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_summary

    if everything == any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key, or use --all.")
    with job_runner.open_runner() as runner:
        sync_service = runner.sync_service
        store, ownership = sync_service.connections.store, sync_service.record_ownership
        errors = store.retry_queue.find(kind=kind, shopify_id=shopify_id, natural_key=natural_key)
        orphans = [orphan for orphan in ownership.select_orphans(natural_key or shopify_id) if not orphan.is_open]
        ownership.reopen(orphans)
        decided = named_conflicts(sync_service, natural_key or shopify_id, decided=True)
        day_issues.withdraw_decisions(store, [line for _, line in decided])
        if not (shopify_id or natural_key):
            errors = [error for error in errors if error.dismissed_at is None]
        store.retry_queue.retry_now(errors)
        days = sorted(
            {error.partition for error in errors} | {orphan.day for orphan in orphans} | {day for day, _ in decided}
        )
        with progress.show_progress("retrying", len(days), job_runner.STEPS_PER_RANGE["sync"]) as bar:
            failures = runner.run("sync", days, bar.end_range, respect_retry_schedule=True)
        tried = {(error.kind, error.shopify_id) for error in errors}
        still_failed = [error for error in store.failed_records() if (error.kind, error.shopify_id) in tried]
        output.print_failures(failures)
        if still_failed:  # otherwise the line "no failed records" would speak of all records
            output.print_lines(record_lists.failed_record_lines(still_failed))
        output.print_pairs({"retried": len(tried), "still failed": len(still_failed)})
        order_ids = {orphan.order_id for orphan in orphans}
        open_again = [orphan for orphan in ownership.orphans() if orphan.order_id in order_ids]
        output.print_lines(record_lists.orphan_lines(open_again))
        held = day_issues.held_lines(store, days)
        output.print_lines(record_lists.conflict_blocks(held))
    content = {
        "tried": len(tried),
        "still_failed": [error.model_dump(mode="json", exclude={"payload"}) for error in still_failed],
        "open_again": [orphan_summary(orphan) for orphan in open_again],
        "conflicts": conflicts.conflict_entries(held),
        "failures": failures,
    }
    output.write_json(json_file, content)
    if failures and (runner.is_transient or runner.needs_setting):
        sys.exit(exit_codes.RETRY_LATER if runner.is_transient else exit_codes.FIX_SETTING)
    if not (everything or days):
        raise click.ClickException("No failed record and no decision has that name.")
    sys.exit(
        exit_codes.FAILURE if failures or still_failed or open_again or content["conflicts"] else exit_codes.SUCCESS
    )


@click.command()
@options.record_options
@click.option("--before-start", is_flag=True, help="Keep all records in Xero of orders from before start_date.")
@click.option("--because", required=True, help="The reason, which is stored.")
@options.JSON
@options.report_errors
def dismiss(
    kind: str | None,
    shopify_id: str | None,
    natural_key: str | None,
    before_start: bool,
    because: str,
    json_file: Path | None,
) -> None:
    """Record a decision and its reason.

    A dismissed failed record leaves the list; it is retried only if its content changes. Records in Xero without an
    order stay there, and a conflict stays as the person made it, until either side changes. `status` lists them. --key
    takes the number of a document, the name of an order or its id.
    """
    from shopify_xero_pipeline.cli import output, record_lists
    from shopify_xero_pipeline.pipeline import day_issues
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_summary

    if before_start == any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key, or use --before-start.")
    if not because.strip():
        raise click.UsageError("Give a reason with --because; it is stored.")
    with options.open_service() as (sync_service, _):
        store, ownership = sync_service.connections.store, sync_service.record_ownership
        name = natural_key or shopify_id
        selection = {"kind": kind, "shopify_id": shopify_id, "natural_key": natural_key}
        errors = [] if before_start else store.retry_queue.find(**selection)
        store.retry_queue.dismiss(errors, because)
        orphans = ownership.dismiss(ownership.select_orphans(name, before_start=before_start), because)
        conflicts = [] if before_start else named_conflicts(sync_service, name)
        day_issues.decide(store, [line for _, line in conflicts], because, options.clock().now())
        ownership.invalidate_days([*(error.partition for error in errors), *(day for day, _ in conflicts)])
        if errors or not (orphans or conflicts):
            output.print_pairs({"dismissed": ", ".join(error.natural_key for error in errors) or "none"})
        output.print_lines(record_lists.orphan_lines(orphans))
        output.print_next_sync(orphan.day for orphan in orphans)
        if conflicts:
            output.print_pairs({"left as it is in Xero": ", ".join(line.natural_key for _, line in conflicts)})
        output.print_next_sync(day for day, _ in conflicts)
    content = {
        "dismissed": [[error.kind, error.shopify_id] for error in errors],
        "kept": [orphan_summary(orphan) for orphan in orphans],
        "left": [[line.kind.value, line.shopify_id] for _, line in conflicts],
    }
    output.write_json(json_file, content)
    sys.exit(exit_codes.SUCCESS if errors or orphans or conflicts else exit_codes.FAILURE)


def named_conflicts(
    sync_service: "SyncService", name: str | None, *, decided: bool = False
) -> "list[tuple[date, Change]]":
    """Return the conflicts with a name, each with its day.

    Args:
        sync_service: the service with the state store.
        name: a document's number, an order's name or its id; None selects nothing.
        decided: select the conflicts that a person has decided about instead of the open ones.
    """
    from shopify_xero_pipeline.changes import unwritten_records
    from shopify_xero_pipeline.changes.decisions import is_named
    from shopify_xero_pipeline.pipeline import day_issues

    if name is None:
        return []
    held = day_issues.held_lines(sync_service.connections.store)
    lines = unwritten_records.decided_lines(held) if decided else unwritten_records.conflict_lines(held)
    return [(day, line) for day, line in lines if is_named(name, line)]
