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
    from shopify_xero_pipeline.pipeline.sync import Bookkeeper


@click.command()
@options.records
@click.option("--all", "everything", is_flag=True, help="All failed records.")
@options.JSON
@options.told
def retry(
    kind: str | None, shopify_id: str | None, natural_key: str | None, everything: bool, json_file: Path | None
) -> None:
    """Try failed records again now; dismissed ones only if they are named.

    A decision about records without an order, or about a conflict, is taken back if they are named with --key.
    """
    from shopify_xero_pipeline.cli import job_runner, output
    from shopify_xero_pipeline.pipeline import conflicts, day_issues
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_json

    if everything == any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key, or say --all.")
    with options.connected() as (bookkeeper, storage), job_runner.dagster_instance() as instance:
        failed, ownership = bookkeeper.store.failed, bookkeeper.ownership
        chosen = failed.chosen(kind=kind, shopify_id=shopify_id, natural_key=natural_key)
        orphans = [one for one in ownership.chosen(natural_key or shopify_id) if not one.is_open]
        ownership.release(orphans)
        decided = named_conflicts(bookkeeper, natural_key or shopify_id, decided=True)
        day_issues.take_back(bookkeeper.store, [line for _, line in decided])
        if not (shopify_id or natural_key):
            chosen = [error for error in chosen if error.dismissed_at is None]
        failed.ask_again(chosen)
        days = sorted(
            {error.partition for error in chosen} | {one.day for one in orphans} | {day for day, _ in decided}
        )
        runner = job_runner.Runner(bookkeeper, instance, storage)
        with output.progress("trying again", len(days), job_runner.PIECES["sync"]) as bar:
            failures = runner.run("sync", days, bar.end_range, patient=True)
        tried = {(error.kind, error.shopify_id) for error in chosen}
        left = [error for error in bookkeeper.store.errors() if (error.kind, error.shopify_id) in tried]
        output.failures(failures)
        output.errors(left)
        output.facts({"tried again": len(tried), "still failed": len(left)})
        open_again = [one for one in ownership.orphans() if one.order_id in {one.order_id for one in orphans}]
        output.orphans(open_again)
        held = day_issues.held_lines(bookkeeper.store, days)
        output.conflicts(held)
    content = {
        "tried": len(tried),
        "still_failed": [error.model_dump(mode="json", exclude={"payload"}) for error in left],
        "open_again": [orphan_json(one) for one in open_again],
        "conflicts": conflicts.conflicts_of(held),
        "failures": failures,
    }
    output.write_json(json_file, content)
    if failures and (runner.passing or runner.of_setting):
        sys.exit(exit_codes.LATER if runner.passing else exit_codes.SETTING)
    if not (everything or days):
        raise click.ClickException("Nothing that failed, or that a person decided about, is called that.")
    sys.exit(exit_codes.WRONG if failures or left or open_again or content["conflicts"] else exit_codes.WELL)


@click.command()
@options.records
@click.option("--before-start", is_flag=True, help="Keep all that is in Xero of orders from before start_date.")
@click.option("--because", required=True, help="The reason; it is kept.")
@options.JSON
@options.told
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
    from shopify_xero_pipeline.pipeline.record_ownership import orphan_json

    if before_start == any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key, or say --before-start.")
    if not because.strip():
        raise click.UsageError("Give the reason with --because; it is kept.")
    with options.connected() as (bookkeeper, _):
        failed, ownership = bookkeeper.store.failed, bookkeeper.ownership
        named = {"kind": kind, "shopify_id": shopify_id, "natural_key": natural_key}
        chosen = [] if before_start else failed.chosen(**named)
        failed.dismiss(chosen, because)
        kept = ownership.keep(ownership.chosen(natural_key or shopify_id, before_start=before_start), because)
        left = [] if before_start else named_conflicts(bookkeeper, natural_key or shopify_id)
        day_issues.decide(bookkeeper.store, [line for _, line in left], because, options.clock().now())
        ownership.compare_again([*(error.partition for error in chosen), *(day for day, _ in left)])
        if chosen or not (kept or left):
            output.facts({"dismissed": ", ".join(error.natural_key for error in chosen) or "none"})
        output.kept_without_order(kept)
        output.decided(left)
    content = {
        "dismissed": [[error.kind, error.shopify_id] for error in chosen],
        "kept": [orphan_json(one) for one in kept],
        "left": [[line.kind.value, line.shopify_id] for _, line in left],
    }
    output.write_json(json_file, content)
    sys.exit(exit_codes.WELL if chosen or kept or left else exit_codes.WRONG)


def named_conflicts(
    bookkeeper: "Bookkeeper", name: str | None, *, decided: bool = False
) -> "list[tuple[date, Change]]":
    """Return the conflicts that a name stands for, with their days: open ones, or those decided about."""
    from shopify_xero_pipeline.changes import unwritten_records
    from shopify_xero_pipeline.changes.decisions import is_named
    from shopify_xero_pipeline.pipeline import day_issues

    if name is None:
        return []
    held = day_issues.held_lines(bookkeeper.store)
    some = unwritten_records.decided(held) if decided else unwritten_records.in_conflict(held)
    return [(day, line) for day, line in some if is_named(name, line)]
