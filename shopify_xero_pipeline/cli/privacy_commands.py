"""The commands for what people ask about their own data: the list of requests, and forgetting a customer."""

import sys
from pathlib import Path

import click

from shopify_xero_pipeline.cli import exit_codes, options


@click.command()
@click.option("--done", "done", help="The id of a request that was seen to.")
@options.JSON
@options.report_errors
def requests(done: str | None, json_file: Path | None) -> None:
    """List what people asked about their data by way of Shopify; exit code 1 while something is open.

    `shopify-xero redact --customer ID` sees to customers/redact; the others are noted as done with --done ID.
    """
    from shopify_xero_pipeline.cli import output

    with options.open_service() as (sync_service, _):
        hints = sync_service.store.hints
        chosen = [one for one in hints.requests() if one.id.startswith(done)] if done else []
        if done and len(chosen) != 1:
            raise click.UsageError("--done takes the id of one open request, as `shopify-xero requests` shows it.")
        hints.mark_processed(chosen)
        left = hints.requests()
    output.print_requests(left)
    output.write_json(json_file, {"requests": [one.model_dump(mode="json") for one in left]})
    sys.exit(exit_codes.FAILURE if left else exit_codes.SUCCESS)


@click.command()
@click.option("--customer", required=True, help="The digits of its Shopify id.")
@click.option("--reason", default="", help="Kept with the note of it; name nobody in it.")
@options.JSON
@options.report_errors
def redact(customer: str, reason: str, json_file: Path | None) -> None:
    """Forget a customer: empty its name, e-mail, telephone and address in all that is kept here, for good.

    Accounting facts stay. What is to be done in Xero, by hand, is told.
    """
    from shopify_xero_pipeline.cli import job_runner, output
    from shopify_xero_pipeline.defs.io_managers import JsonIOManager
    from shopify_xero_pipeline.pipeline import redaction as forgetting

    if not (customer.isascii() and customer.isdigit()):
        raise click.UsageError("--customer takes the digits of a customer's Shopify id, such as 7300000000101.")
    with options.open_service() as (sync_service, storage), job_runner.dagster_instance() as instance:
        job_runner.refuse_while_runs_are_active(instance)
        done = forgetting.redact_customer(sync_service.store, JsonIOManager(storage), customer, reason)
    output.print_pairs({f"emptied: {name}": count for name, count in done.emptied.items()})
    output.print_pairs({f"kept: {name}": count for name, count in done.kept.items()})
    output.print_pairs({"Contact in Xero": done.link or "none"})
    output.console.print(done.in_xero, soft_wrap=True)
    output.write_json(json_file, {**done.model_dump(), "in_xero": done.in_xero})
