"""The GraphQL documents, loaded from `graphql/` by the name of their operation.

Only loading belongs here. A file may hold several operations that share fragments; each is handed out as a document of
its own, so that Shopify is sent nothing it does not need and charges for nothing else.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from graphql import parse, print_ast
from graphql.utilities import separate_operations


@cache
def documents() -> Mapping[str, str]:
    """Return every operation in `queries/*.graphql` by its name, each with exactly the fragments it uses."""
    found: dict[str, str] = {}
    for resource in files("shopify_xero_pipeline.shopify").joinpath("graphql").iterdir():
        if resource.name.endswith(".graphql"):
            operations = separate_operations(parse(resource.read_text(encoding="utf-8"), no_location=True))
            found.update({name: print_ast(document) for name, document in operations.items()})
    return found


def document(operation: str) -> str:
    """Return the document of one operation, such as `Orders`.

    Raises:
        KeyError: there is no such operation.
    """
    return documents()[operation]
