"""Commands for personal data: the list of privacy requests, and the erasure of a customer's data."""

import sys
from pathlib import Path

import click

from shopify_xero_pipeline.cli import exit_codes, options


@click.command()
@click.option("--done", "done", help="The id of a request to mark as completed.")
@options.JSON
@options.report_errors
def requests(done: str | None, json_file: Path | None) -> None:
    """List the privacy requests that Shopify delivered; exit code 1 while one is open.

    Complete customers/redact with `shopify-xero redact --customer ID`, other requests with --done ID.
    """
    from shopify_xero_pipeline.cli import output

    with options.open_service() as (sync_service, _):
        hints = sync_service.connections.store.hints
        completed = [request for request in hints.requests() if request.id.startswith(done)] if done else []
        if done and len(completed) != 1:
            raise click.UsageError("--done takes the id of one open request, as `shopify-xero requests` shows it.")
        hints.mark_processed(completed)
        open_requests = hints.requests()
    output.print_requests(open_requests)
    output.write_json(json_file, {"requests": [request.model_dump(mode="json") for request in open_requests]})
    sys.exit(exit_codes.FAILURE if open_requests else exit_codes.SUCCESS)


@click.command()
@click.option("--customer", required=True, help="The digits of the customer's Shopify id.")
@click.option("--reason", default="", help="Stored with the redaction; do not name the customer in it.")
@options.JSON
@options.report_errors
def redact(customer: str, reason: str, json_file: Path | None) -> None:
    """Erase a customer's name, e-mail, telephone and address from all stored data, permanently.

    Accounting facts stay. The steps that remain in Xero are printed.
    """
    from shopify_xero_pipeline.cli import job_runner, output
    from shopify_xero_pipeline.defs.io_managers import JsonIOManager
    from shopify_xero_pipeline.pipeline import redaction

    if not (customer.isascii() and customer.isdigit()):
        raise click.UsageError("--customer takes the digits of a customer's Shopify id, such as 7300000000101.")
    with options.open_service() as (sync_service, storage), job_runner.dagster_instance() as instance:
        job_runner.refuse_while_runs_are_active(instance)
        report = redaction.redact_customer(sync_service.connections.store, JsonIOManager(storage), customer, reason)
    output.print_pairs({f"emptied: {name}": count for name, count in report.emptied.items()})
    output.print_pairs({f"kept: {name}": count for name, count in report.retained.items()})
    output.print_pairs({"Contact in Xero": report.link or "none"})
    output.console.print(report.in_xero, soft_wrap=True)
    output.write_json(json_file, {**report.model_dump(by_alias=True), "in_xero": report.in_xero})
