"""The commands that are about failed records: trying them again, and taking them off the list for a reason."""

import sys
from pathlib import Path

import click

from shopify_xero_pipeline.cli import exit_codes, options


@click.command()
@options.records
@click.option("--all", "everything", is_flag=True, help="All failed records.")
@options.JSON
@options.told
def retry(
    kind: str | None, shopify_id: str | None, natural_key: str | None, everything: bool, json_file: Path | None
) -> None:
    """Try failed records again now; dismissed ones only if they are named."""
    from shopify_xero_pipeline import runs, terminal

    if everything == any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key, or say --all.")
    with options.connected() as (bookkeeper, storage), runs.dagster_instance() as instance:
        failed = bookkeeper.store.failed
        chosen = failed.chosen(kind=kind, shopify_id=shopify_id, natural_key=natural_key)
        if not (shopify_id or natural_key):
            chosen = [error for error in chosen if error.dismissed_at is None]
        failed.ask_again(chosen)
        days = sorted({error.partition for error in chosen})
        runner = runs.Runner(bookkeeper, instance, storage)
        with terminal.progress("trying again", len(days), runs.PIECES["sync"]) as bar:
            failures = runner.run("sync", days, bar.end_range, patient=True)
        tried = {(error.kind, error.shopify_id) for error in chosen}
        left = [error for error in bookkeeper.store.errors() if (error.kind, error.shopify_id) in tried]
        terminal.failures(failures)
        terminal.errors(left)
        terminal.facts({"tried again": len(tried), "still failed": len(left)})
    content = {
        "tried": len(tried),
        "still_failed": [error.model_dump(mode="json", exclude={"payload"}) for error in left],
        "failures": failures,
    }
    terminal.write_json(json_file, content)
    if failures and runner.passing:
        sys.exit(exit_codes.LATER)
    sys.exit(exit_codes.WRONG if failures or left else exit_codes.WELL)


@click.command()
@options.records
@click.option("--because", required=True, help="The reason; it is kept.")
@options.JSON
@options.told
def dismiss(
    kind: str | None, shopify_id: str | None, natural_key: str | None, because: str, json_file: Path | None
) -> None:
    """Take failed records off the list for a reason; they are tried again only if their content changes."""
    from shopify_xero_pipeline import terminal

    if not any((kind, shopify_id, natural_key)):
        raise click.UsageError("Name records with --kind, --id or --key.")
    with options.connected() as (bookkeeper, _):
        failed = bookkeeper.store.failed
        chosen = failed.chosen(kind=kind, shopify_id=shopify_id, natural_key=natural_key)
        failed.dismiss(chosen, because)
        terminal.facts({"dismissed": ", ".join(error.natural_key for error in chosen) or "none"})
    terminal.write_json(json_file, {"dismissed": [[error.kind, error.shopify_id] for error in chosen]})
    sys.exit(exit_codes.WELL if chosen else exit_codes.WRONG)
