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
@options.told
def login(new_key: bool, port: int, host: str, json_file: Path | None) -> None:
    """Sign in to Xero in a browser, for an app that is no custom connection."""
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.state.tokens import new_key as fresh

    if new_key:
        click.echo(fresh())
        return
    with options.connected() as (bookkeeper, _):
        signed_in = bookkeeper.login(port, functools.partial(click.echo, err=True), host=host)
    for one in signed_in.organisations:
        output.facts({one.name: one.tenant_id})
    click.echo(signed_in.verdict, err=True)
    output.write_json(json_file, dataclasses.asdict(signed_in))
    sys.exit(exit_codes.WELL if signed_in.tenant_id else exit_codes.SETTING)


@click.command()
@click.option("--no-wait", is_flag=True, help="If something may still be under way to Xero, say until when and stop.")
@options.JSON
@options.told
def rebuild(no_wait: bool, json_file: Path | None) -> None:
    """Make the state store anew from Shopify and Xero, where it is lost or damaged; nothing is written to Xero.

    The old store is put aside, not deleted. What is not in Xero yet is left to the next sync.
    """
    from shopify_xero_pipeline.cli import output
    from shopify_xero_pipeline.pipeline.rebuild import Rebuild, make_room

    clock = options.clock()
    aside = make_room(Settings.from_environment(os.environ), clock)
    with options.connected() as (bookkeeper, _):
        if aside is not None:
            bookkeeper.store.take_over(aside.keepsakes)
            output.facts({"the old store is now": aside.name})
        work = Rebuild(bookkeeper, clock)
        rest = work.rest()
        if rest > timedelta():
            until = clock.now() + rest
            output.facts({"may be under way until": f"{until:%Y-%m-%d %H:%M:%S} UTC"})
            if no_wait:
                output.write_json(json_file, {"until": until.isoformat()})
                sys.exit(exit_codes.LATER)
            output.countdown(work.wait(rest))
        with output.progress("adopting", work.days) as bar:
            found = work.adopt("rebuild", bar.end_range)
    output.rebuilt(found)
    output.write_json(json_file, found.summary())
    sys.exit(exit_codes.WELL if found.succeeded else exit_codes.WRONG)
