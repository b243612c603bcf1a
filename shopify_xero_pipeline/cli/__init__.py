"""The `shopify-xero` command. Each command reads its options, calls a room and prints; none has logic.

A command imports its rooms when it runs, because the import of Dagster takes longer than a short command. The exit
codes are in `exit_codes.py`.
"""

import os
from contextlib import suppress

import click

from shopify_xero_pipeline.cli import (
    failure_commands,
    options,
    privacy_commands,
    process_commands,
    recovery_commands,
    status_commands,
    sync_commands,
)
from shopify_xero_pipeline.observability import logs
from shopify_xero_pipeline.settings import LOG_FORMATS, Settings, SettingsError

ANSWERS = (
    *(sync_commands.plan, sync_commands.sync),
    *(failure_commands.retry, failure_commands.dismiss),
    *(status_commands.status, status_commands.alerts, status_commands.doctor),
    *(privacy_commands.requests, privacy_commands.redact),
    *(recovery_commands.login, recovery_commands.rebuild),
    process_commands.demo,
)
"""Commands that print a result and end; their log goes to a file."""

SERVERS = (process_commands.sandbox, process_commands.up, process_commands.webserver, process_commands.serve)
"""Commands that run until a signal ends them; their log goes to standard error."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="shopify-xero-pipeline")
@click.option("--log-format", type=click.Choice(LOG_FORMATS), help="Format of the log; default: LOG_FORMAT.")
@click.option(*options.VERBOSE, is_flag=True, help=options.VERBOSE_HELP)
@click.pass_context
def main(context: click.Context, log_format: str | None, verbose: bool) -> None:
    """Keep a Shopify store's books in Xero."""
    os.umask(0o077)  # files of this process and of the processes it starts are readable by their owner only
    if log_format:
        os.environ["LOG_FORMAT"] = log_format  # also for the processes that are started here
    with suppress(SettingsError):  # the command itself reports the error
        _start_log(context, Settings.from_environment(os.environ), verbose=verbose)


def _start_log(context: click.Context, settings: Settings, *, verbose: bool) -> None:
    name = context.invoked_subcommand or ""
    if name in {command.name for command in SERVERS}:
        context.call_on_close(logs.configure_logging(settings))
        return
    log = logs.CommandLog(settings, name, options.clock().now())
    context.obj = log
    context.call_on_close(log.end)
    if verbose:
        log.show()


for command in ANSWERS:
    main.add_command(options.add_verbose_option(command))
for command in SERVERS:
    main.add_command(command)
