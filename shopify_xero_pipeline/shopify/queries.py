"""GraphQL documents, loaded from `graphql/` by the name of their operation.

This module only loads documents. The files share their fragments; each operation becomes a separate document with only
its own fragments, so that a request contains no unused field and costs no more points.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def documents() -> Mapping[str, str]:
    """Return the document of each operation in `graphql/*.graphql`, with exactly its own fragments, by name."""
    from graphql import parse, print_ast  # only a process that reads Shopify needs it
    from graphql.utilities import separate_operations

    folder = files("shopify_xero_pipeline.shopify").joinpath("graphql")
    text = "\n".join(file.read_text(encoding="utf-8") for file in folder.iterdir() if file.name.endswith(".graphql"))
    operations = separate_operations(parse(text, no_location=True))
    return {name: print_ast(operation) for name, operation in operations.items()}


def document(operation: str) -> str:
    """Return the document of one operation, such as `Orders`.

    Raises:
        KeyError: the operation does not exist.
    """
    return documents()[operation]


def bulk_query(operation: str, values: Mapping[str, str | bool]) -> str:
    """Return the document of one operation without variables, which a bulk query cannot have.

    Args:
        operation: the name of the operation.
        values: the values of its variables; a field with `@include(if: $name)` is removed if the value is False.

    Raises:
        KeyError: the operation does not exist, or a variable has no value.
    """
    from graphql import parse, print_ast, visit

    from shopify_xero_pipeline.shopify.inlining import Inlining

    return print_ast(visit(parse(document(operation), no_location=True), Inlining(values)))
