"""Commands that recover what was lost: the sign-in to Xero, and the state store."""

import dataclasses
import functools
import os
import sys
from datetime import timedelta
from pathlib import Path

import click

from shopify_xero_pipeline.cli import exit_codes, options
from shopify_xero_pipeline.settings import Settings


@click.command()
@click.option("--new-key", is_flag=True, help="Only print a fresh TOKEN_KEY.")
@click.option("--port", default=8767, show_default=True, help="Port of the callback, http://localhost:PORT/callback.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; 0.0.0.0 in a container that publishes the port.",
)
@options.JSON
@options.report_errors
def login(new_key: bool, port: int, host: str, json_file: Path | None) -> None:
    """Sign in to Xero in a browser, for an app that is not a custom connection."""
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.state import tokens

    if new_key:
        click.echo(tokens.new_key())
        return
    with options.open_service() as (sync_service, _):
        signed_in = sync_service.connections.login(port, functools.partial(click.echo, err=True), host=host)
    for organisation in signed_in.organisations:
        output.print_pairs({organisation.name: organisation.tenant_id})
    click.echo(signed_in.verdict, err=True)
    output.write_json(json_file, dataclasses.asdict(signed_in))
    sys.exit(exit_codes.SUCCESS if signed_in.tenant_id else exit_codes.FIX_SETTING)


@click.command()
@click.option("--no-wait", is_flag=True, help="If a request may still be in progress, print until when and stop.")
@options.JSON
@options.report_errors
def rebuild(no_wait: bool, json_file: Path | None) -> None:
    """Recreate a lost or damaged state store from Shopify and Xero; write nothing to Xero.

    The old store is renamed, not deleted. The next sync writes what is not in Xero yet.
    """
    from shopify_xero_pipeline.cli import output, progress
    from shopify_xero_pipeline.pipeline.rebuild import Rebuild, set_aside_store

    clock = options.clock()
    old_store = set_aside_store(Settings.from_environment(os.environ), clock)
    with options.open_service() as (sync_service, _):
        if old_store is not None:
            sync_service.connections.store.import_rows(old_store.carried_over)
            output.print_pairs({"the old store is now": old_store.name})
        work = Rebuild(sync_service)
        rest = work.quiet_until()
        if rest > timedelta():
            until = clock.now() + rest
            output.print_pairs({"may be in progress until": f"{until:%Y-%m-%d %H:%M:%S} UTC"})
            if no_wait:
                output.write_json(json_file, {"until": until.isoformat()})
                sys.exit(exit_codes.RETRY_LATER)
            progress.show_countdown(work.wait(rest))
        with progress.show_progress("adopting", len(sync_service.connections.days())) as bar:
            report = work.adopt("rebuild", bar.end_range)
    output.print_rebuild(report)
    output.write_json(json_file, report.summary())
    sys.exit(exit_codes.SUCCESS if report.succeeded else exit_codes.FAILURE)
