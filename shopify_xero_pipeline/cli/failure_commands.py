"""The commands that are about records for a person: trying failed ones again, and deciding for a reason.

A decision takes a failed record off the list, lets records without an order stand in Xero, or leaves a conflict as a
person made it.
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
    """Try failed records again now; dismissed ones only if they are named.

    A decision about records without an order, or about a conflict, is taken back if they are named with --key.
    """
    from shopify_xero_pipeline.cli import job_runner, output
    from shopify_xero_pipeline.pipeline import conflicts, day_issues
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_summary

    if everything == any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key, or say --all.")
    with options.open_service() as (sync_service, storage), job_runner.dagster_instance() as instance:
        failed, ownership = sync_service.store.retry_queue, sync_service.record_ownership
        chosen = failed.find(kind=kind, shopify_id=shopify_id, natural_key=natural_key)
        orphans = [one for one in ownership.select_orphans(natural_key or shopify_id) if not one.is_open]
        ownership.reopen(orphans)
        decided = named_conflicts(sync_service, natural_key or shopify_id, decided=True)
        day_issues.withdraw_decisions(sync_service.store, [line for _, line in decided])
        if not (shopify_id or natural_key):
            chosen = [error for error in chosen if error.dismissed_at is None]
        failed.retry_now(chosen)
        days = sorted(
            {error.partition for error in chosen} | {one.day for one in orphans} | {day for day, _ in decided}
        )
        runner = job_runner.JobRunner(sync_service, instance, storage)
        with output.show_progress("trying again", len(days), job_runner.STEPS_PER_RANGE["sync"]) as bar:
            failures = runner.run("sync", days, bar.end_range, respect_retry_schedule=True)
        tried = {(error.kind, error.shopify_id) for error in chosen}
        left = [error for error in sync_service.store.failed_records() if (error.kind, error.shopify_id) in tried]
        output.print_failures(failures)
        output.print_failed_records(left)
        output.print_pairs({"tried again": len(tried), "still failed": len(left)})
        open_again = [one for one in ownership.orphans() if one.order_id in {one.order_id for one in orphans}]
        output.print_orphans(open_again)
        held = day_issues.held_lines(sync_service.store, days)
        output.print_conflicts(held)
    content = {
        "tried": len(tried),
        "still_failed": [error.model_dump(mode="json", exclude={"payload"}) for error in left],
        "open_again": [orphan_summary(one) for one in open_again],
        "conflicts": conflicts.conflict_entries(held),
        "failures": failures,
    }
    output.write_json(json_file, content)
    if failures and (runner.is_transient or runner.needs_setting):
        sys.exit(exit_codes.RETRY_LATER if runner.is_transient else exit_codes.FIX_SETTING)
    if not (everything or days):
        raise click.ClickException("Nothing that failed, or that a person decided about, is called that.")
    sys.exit(exit_codes.FAILURE if failures or left or open_again or content["conflicts"] else exit_codes.SUCCESS)


@click.command()
@options.record_options
@click.option("--before-start", is_flag=True, help="Keep all that is in Xero of orders from before start_date.")
@click.option("--because", required=True, help="The reason; it is kept.")
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
    """Decide about records for a reason, which is kept.

    Failed records leave the list; they are tried again only if their content changes. What stands in Xero without an
    order is kept there as it is, and a conflict is left as the person made it, until either side changes: both as
    `status` lists them. --key takes the number of a document, the order's name or the order's id.
    """
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline import day_issues
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_summary

    if before_start == any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key, or say --before-start.")
    if not because.strip():
        raise click.UsageError("Give the reason with --because; it is kept.")
    with options.open_service() as (sync_service, _):
        failed, ownership = sync_service.store.retry_queue, sync_service.record_ownership
        named = {"kind": kind, "shopify_id": shopify_id, "natural_key": natural_key}
        chosen = [] if before_start else failed.find(**named)
        failed.dismiss(chosen, because)
        kept = ownership.dismiss(
            ownership.select_orphans(natural_key or shopify_id, before_start=before_start), because
        )
        left = [] if before_start else named_conflicts(sync_service, natural_key or shopify_id)
        day_issues.decide(sync_service.store, [line for _, line in left], because, options.clock().now())
        ownership.invalidate_days([*(error.partition for error in chosen), *(day for day, _ in left)])
        if chosen or not (kept or left):
            output.print_pairs({"dismissed": ", ".join(error.natural_key for error in chosen) or "none"})
        output.print_dismissed_orphans(kept)
        output.print_decisions(left)
    content = {
        "dismissed": [[error.kind, error.shopify_id] for error in chosen],
        "kept": [orphan_summary(one) for one in kept],
        "left": [[line.kind.value, line.shopify_id] for _, line in left],
    }
    output.write_json(json_file, content)
    sys.exit(exit_codes.SUCCESS if chosen or kept or left else exit_codes.FAILURE)


def named_conflicts(
    sync_service: "SyncService", name: str | None, *, decided: bool = False
) -> "list[tuple[date, Change]]":
    """Return the conflicts that a name stands for, with their days: open ones, or those decided about."""
    from shopify_xero_pipeline.changes import unwritten_records
    from shopify_xero_pipeline.changes.decisions import is_named
    from shopify_xero_pipeline.pipeline import day_issues

    if name is None:
        return []
    held = day_issues.held_lines(sync_service.store)
    some = unwritten_records.decided_lines(held) if decided else unwritten_records.conflict_lines(held)
    return [(day, line) for day, line in some if is_named(name, line)]
