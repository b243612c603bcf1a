"""Starting Dagster's webserver with the guard in front, in one process.

A proxy in a process of its own would leave Dagster's port open beside it, which a page of a stranger reaches as well
as a person does. So the guard is middleware of Dagster's own app. Dagster has no setting for that; the list of
middleware is a public method of its server, which is extended here (`dagster-webserver` is pinned exactly, and a test
starts the real one). All options of `dagster-webserver` hold.
"""

from collections.abc import Sequence

from dagster_webserver.cli import cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.webserver.guard import Guard


def install_guard(settings: Settings) -> None:
    """Have every webserver that is made from now on guarded.

    Args:
        settings: DAGSTER_URL and DAGSTER_HOSTS say under which hosts the UI is reached.
    """
    unguarded = DagsterWebserver.build_middleware

    def guarded(server: DagsterWebserver) -> list[Middleware]:  # type: ignore[type-arg]
        guard = Middleware(Guard, hosts=settings.dagster_hosts, origin=settings.dagster_url)
        return [guard, *unguarded(server)]

    DagsterWebserver.build_middleware = guarded  # type: ignore[method-assign, assignment]


def run(arguments: Sequence[str], settings: Settings) -> None:
    """Serve the Dagster UI until told to stop.

    Args:
        arguments: options of `dagster-webserver`.
        settings: see `put_guard`.
    """
    install_guard(settings)
    cli.main([*arguments], "shopify-xero webserver", auto_envvar_prefix="DAGSTER_WEBSERVER")
