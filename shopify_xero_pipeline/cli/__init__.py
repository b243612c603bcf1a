"""The `shopify-xero` command. Every command reads its options, calls a room and prints; none holds logic.

What a command needs is imported when it runs: most of the time of a short command would go into importing Dagster.

Exit codes: 0 all is well, 1 something failed or the books do not agree, 2 a setting or an option is wrong.
"""

import os
from contextlib import suppress

import click

from shopify_xero_pipeline import logs
from shopify_xero_pipeline.cli import days, looking, people, processes, records, recovery
from shopify_xero_pipeline.settings import LOG_FORMATS, Settings, SettingsError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="shopify-xero-pipeline")
@click.option(
    "--log-format", type=click.Choice(LOG_FORMATS), help="Of the log on standard error; by default LOG_FORMAT."
)
@click.pass_context
def main(context: click.Context, log_format: str | None) -> None:
    """Keeps a Shopify store's books in Xero."""
    os.umask(0o077)  # whatever is written here, or by a process started here, is for its owner alone
    if log_format:
        os.environ["LOG_FORMAT"] = log_format  # for the processes started here as well
    with suppress(SettingsError):  # the command itself says what is wrong
        show = context.invoked_subcommand == "demo"
        context.with_resource(logs.beside_tables(Settings.from_environment(os.environ), show=show))


COMMANDS = (
    *(days.plan, days.sync),
    *(records.retry, records.dismiss),
    *(looking.status, looking.alerts, looking.doctor),
    *(people.requests, people.redact),
    *(recovery.login, recovery.rebuild),
    *(processes.demo, processes.sandbox, processes.up, processes.webserver, processes.serve),
)
for command in COMMANDS:
    main.add_command(command)
