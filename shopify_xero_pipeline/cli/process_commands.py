"""Commands for processes that run until a signal ends them (sandbox, UI, service), and for the demo."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from shopify_xero_pipeline.cli import exit_codes, options
from shopify_xero_pipeline.settings import SANDBOX_PORT, Settings


@click.command()
@click.option("--seed", default=1, show_default=True, help="The generated shop.")
@click.option("--fresh", is_flag=True, help="Delete the data of an earlier demo first.")
@click.option("--keep-runs", is_flag=True, help="Record the runs on disk for the Dagster UI.")
@options.JSON
@options.report_errors
def demo(seed: int, fresh: bool, keep_runs: bool, json_file: Path | None) -> None:
    """Play two weeks of trade into Xero, with a few faults on the way.

    Two orders are meant to be blocked and do not count for the exit code.
    """
    from shopify_xero_pipeline.cli.demo import run_demo

    sys.exit(exit_codes.from_standing(run_demo(seed, fresh=fresh, keep_runs=keep_runs, json_file=json_file)))


def _parse_instant(_: click.Context, __: click.Parameter, text: str | None) -> datetime | None:
    """Return an ISO 8601 date or time, basic or extended, as an instant in UTC, which is also the default zone."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        example = "2026-11-01, 2026-11-01T10:00:00Z or 2026-11-01T10:00:00+13:00"
        raise click.BadParameter(f"{text!r} is not an ISO 8601 date or time, such as {example}.") from None


@click.command()
@click.option("--port", default=SANDBOX_PORT, show_default=True)
@click.option(
    "--data", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Recorded responses."
)
@click.option("--seed", default=1, show_default=True, help="The generated shop.")
@click.option(
    "--now",
    metavar="ISO",
    callback=_parse_instant,
    help="Initial time of its clock: an ISO 8601 date or time, in UTC unless it has an offset.",
)
@click.option(
    "--state",
    "state_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Store the records in Xero over restarts.",
)
@options.report_errors
def sandbox(port: int, folder: Path | None, seed: int, now: datetime | None, state_file: Path | None) -> None:
    """Run a local Shopify and a local Xero on one port."""
    from shopify_xero_pipeline.sandbox.command import run
    from shopify_xero_pipeline.shopify.queries import documents

    run(port=port, folder=folder, seed=seed, now=now, state_file=state_file, queries=documents())


@click.command()
@click.option("--port", default=3000, show_default=True, help="The port of the Dagster UI.")
@click.option("--sandbox-port", default=SANDBOX_PORT, show_default=True)
@options.report_errors
def up(port: int, sandbox_port: int) -> None:
    """Run the Dagster UI with automation on; without credentials, also a sandbox."""
    from shopify_xero_pipeline.cli.dev import run_processes

    sys.exit(run_processes(port, sandbox_port))


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@options.report_errors
def webserver(arguments: tuple[str, ...]) -> None:
    """Run the Dagster UI alone, behind the guard, with the options that `dagster-webserver --help` lists."""
    from shopify_xero_pipeline.webserver.command import run

    run(arguments, Settings.from_environment(os.environ))


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default: SERVE_PORT, 8770; 0 selects a free port.")
@options.report_errors
def serve(host: str, port: int | None) -> None:
    """Serve /health, /metrics and the webhooks of both sides until a signal ends it."""
    from shopify_xero_pipeline.cli import job_runner
    from shopify_xero_pipeline.defs import daemon_health
    from shopify_xero_pipeline.service import command

    def ready(address: str) -> None:
        click.echo(f"/health, /metrics and /webhooks on {address} (end with Ctrl-C)")

    settings, clock = Settings.from_environment(os.environ), options.clock()
    with job_runner.dagster_instance() as instance:
        daemon = daemon_health.check_daemon(instance, clock)
        command.run(settings, daemon, clock, host, settings.serve_port if port is None else port, ready)
