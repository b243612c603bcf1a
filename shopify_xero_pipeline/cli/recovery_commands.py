"""The commands for what was lost: the sign-in to Xero, and the state store."""

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
@click.option("--new-key", is_flag=True, help="Print a fresh TOKEN_KEY and do nothing else.")
@click.option("--port", default=8767, show_default=True, help="Of this machine; http://localhost:PORT/callback.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="To listen on; 0.0.0.0 in a container that publishes the port.",
)
@options.JSON
@options.report_errors
def login(new_key: bool, port: int, host: str, json_file: Path | None) -> None:
    """Sign in to Xero in a browser, for an app that is no custom connection."""
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.state.tokens import new_key as fresh

    if new_key:
        click.echo(fresh())
        return
    with options.open_service() as (sync_service, _):
        signed_in = sync_service.login(port, functools.partial(click.echo, err=True), host=host)
    for one in signed_in.organisations:
        output.print_pairs({one.name: one.tenant_id})
    click.echo(signed_in.verdict, err=True)
    output.write_json(json_file, dataclasses.asdict(signed_in))
    sys.exit(exit_codes.SUCCESS if signed_in.tenant_id else exit_codes.FIX_SETTING)


@click.command()
@click.option("--no-wait", is_flag=True, help="If something may still be under way to Xero, say until when and stop.")
@options.JSON
@options.report_errors
def rebuild(no_wait: bool, json_file: Path | None) -> None:
    """Make the state store anew from Shopify and Xero, where it is lost or damaged; nothing is written to Xero.

    The old store is put aside, not deleted. What is not in Xero yet is left to the next sync.
    """
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline.rebuild import Rebuild, set_aside_store

    clock = options.clock()
    aside = set_aside_store(Settings.from_environment(os.environ), clock)
    with options.open_service() as (sync_service, _):
        if aside is not None:
            sync_service.store.import_rows(aside.carried_over)
            output.print_pairs({"the old store is now": aside.name})
        work = Rebuild(sync_service, clock)
        rest = work.quiet_until()
        if rest > timedelta():
            until = clock.now() + rest
            output.print_pairs({"may be under way until": f"{until:%Y-%m-%d %H:%M:%S} UTC"})
            if no_wait:
                output.write_json(json_file, {"until": until.isoformat()})
                sys.exit(exit_codes.RETRY_LATER)
            output.show_countdown(work.wait(rest))
        with output.show_progress("adopting", work.days) as bar:
            found = work.adopt("rebuild", bar.end_range)
    output.print_rebuild(found)
    output.write_json(json_file, found.summary())
    sys.exit(exit_codes.SUCCESS if found.succeeded else exit_codes.FAILURE)
