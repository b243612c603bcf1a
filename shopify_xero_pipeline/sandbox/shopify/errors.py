"""Errors as the Admin API words them under `errors`.

The type and the messages several modules share belong here; who decides that something is an error does not.
"""

from typing import Any

from graphql import GraphQLError

from shopify_xero_pipeline.sandbox.nodes import Node

INTERNAL = "INTERNAL_SERVER_ERROR"
BAD_REQUEST = "BAD_REQUEST"


class FieldError(Exception):
    """A field has no answer; the error stands under `errors` and the field is null.

    Args:
        message: What the caller reads.
        code: `extensions.code`.
        more: Further keys of `extensions`.
    """

    def __init__(self, message: str, code: str, **more: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions: dict[str, Any] = {"code": code, **more}


def internal_error() -> FieldError:
    """Return what Shopify answers when it stumbles itself (docs/contracts/shopify.md §8)."""
    return FieldError(
        "Internal error. Looks like something went wrong on our end. Request ID: sandbox "
        "(include this in support requests).",
        INTERNAL,
    )


def shown(error: GraphQLError, code: str) -> Node:
    """Return an error as it stands under `errors`, with this `extensions.code` unless it brings its own."""
    return {**error.formatted, "extensions": error.extensions or {"code": code}}
