"""GraphQL documents, loaded from `graphql/` by the name of their operation.

This module only loads documents. A file may contain several operations with shared fragments; each operation becomes a
separate document with only its own fragments, so that a request contains no unused field and costs no more points.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def documents() -> Mapping[str, str]:
    """Return the document of each operation in `graphql/*.graphql`, with exactly its own fragments, by name."""
    from graphql import parse, print_ast  # only a process that reads Shopify needs it
    from graphql.utilities import separate_operations

    by_name: dict[str, str] = {}
    for resource in files("shopify_xero_pipeline.shopify").joinpath("graphql").iterdir():
        if resource.name.endswith(".graphql"):
            operations = separate_operations(parse(resource.read_text(encoding="utf-8"), no_location=True))
            by_name.update({name: print_ast(document) for name, document in operations.items()})
    return by_name


def document(operation: str) -> str:
    """Return the document of one operation, such as `Orders`.

    Raises:
        KeyError: the operation does not exist.
    """
    return documents()[operation]
