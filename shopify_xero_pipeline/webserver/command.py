"""Dagster's webserver with the guard in front, in one process.

A proxy in its own process would leave Dagster's port open beside it, also to pages of other sites. So the guard is
middleware of Dagster's own app. Dagster has no setting for middleware; this module extends the public method that lists
it (`dagster-webserver` is pinned exactly, and a test starts the real one). All options of `dagster-webserver` work.
"""

from collections.abc import Sequence

from dagster_webserver.cli import cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from shopify_xero_pipeline.settings import Settings
from shopify_xero_pipeline.webserver.guard import Guard


def install_guard(settings: Settings) -> None:
    """Add the guard to every webserver that is created from now on.

    Args:
        settings: DAGSTER_URL and DAGSTER_HOSTS are the hosts of the UI.
    """
    build_middleware = DagsterWebserver.build_middleware

    def build_guarded_middleware(server: DagsterWebserver) -> list[Middleware]:  # type: ignore[type-arg]
        guard = Middleware(Guard, hosts=settings.dagster_hosts, origin=settings.dagster_url)
        return [guard, *build_middleware(server)]

    DagsterWebserver.build_middleware = build_guarded_middleware  # type: ignore[method-assign, assignment]


def run(arguments: Sequence[str], settings: Settings) -> None:
    """Serve the Dagster UI until a signal ends it.

    Args:
        arguments: options of `dagster-webserver`.
        settings: see `install_guard`.
    """
    install_guard(settings)
    cli.main([*arguments], "shopify-xero webserver", auto_envvar_prefix="DAGSTER_WEBSERVER")
