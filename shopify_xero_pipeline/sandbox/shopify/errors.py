"""Errors in the form of the Admin API's `errors`.

This module only contains the error type and shared messages; other modules raise the errors.
"""

from typing import Any

from graphql import GraphQLError

from shopify_xero_pipeline.sandbox.nodes import Node

INTERNAL = "INTERNAL_SERVER_ERROR"
BAD_REQUEST = "BAD_REQUEST"


class FieldError(Exception):
    """A field without a value; its error is listed under `errors` and the field is null.

    Args:
        message: the message for the caller.
        code: `extensions.code`.
        more: further keys of `extensions`.
    """

    def __init__(self, message: str, code: str, **more: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions: dict[str, Any] = {"code": code, **more}


def internal_error() -> FieldError:
    """Return Shopify's error for its own internal failures (docs/contracts/shopify.md §8)."""
    return FieldError(
        "Internal error. Looks like something went wrong on our end. Request ID: sandbox "
        "(include this in support requests).",
        INTERNAL,
    )


def error_node(error: GraphQLError, code: str) -> Node:
    """Return an error in the form of `errors`; its own `extensions` take precedence over the code."""
    return {**error.formatted, "extensions": error.extensions or {"code": code}}
