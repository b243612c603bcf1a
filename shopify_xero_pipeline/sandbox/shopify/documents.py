"""The served schema, and documents parsed and validated against it once, with Shopify's error codes (E3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.validation import ASTValidationRule, specified_rules

from shopify_xero_pipeline.sandbox.nodes import Node
from shopify_xero_pipeline.sandbox.shopify.errors import error_node
from shopify_xero_pipeline.sandbox.shopify.resolvers import attach

_SDL = Path(__file__).with_name("admin.graphql")

_CODES: Mapping[str, str] = {
    "FieldsOnCorrectTypeRule": "undefinedField",
    "ScalarLeafsRule": "selectionMismatch",
    "KnownTypeNamesRule": "undefinedType",
    "FragmentsOnCompositeTypesRule": "fragmentOnNonCompositeType",
    "KnownArgumentNamesRule": "argumentNotAccepted",
    "ProvidedRequiredArgumentsRule": "missingRequiredArguments",
    "ValuesOfCorrectTypeRule": "argumentLiteralsIncompatible",
    "KnownFragmentNamesRule": "useAndDefineFragment",
    "NoUnusedFragmentsRule": "useAndDefineFragment",
    "PossibleFragmentSpreadsRule": "cannotSpreadFragment",
    "NoUndefinedVariablesRule": "variableNotDefined",
    "NoUnusedVariablesRule": "variableNotUsed",
    "VariablesInAllowedPositionRule": "variableMismatch",
    "VariablesAreInputTypesRule": "variableRequiresValidType",
    "OverlappingFieldsCanBeMergedRule": "fieldConflict",
}


@dataclass(frozen=True)
class Document:
    """A parsed document as a whole and by its parts, or the errors that prevent its execution."""

    errors: tuple[Node, ...] = ()
    tree: DocumentNode = field(default_factory=DocumentNode)
    operations: Mapping[str, OperationDefinitionNode] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the named operation, or without a name the only one; None if there is none."""
        if name:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None


@cache
def schema() -> GraphQLSchema:
    """Return the served subset of the Admin API with its resolvers."""
    return attach(build_schema(_SDL.read_text(encoding="utf-8"), assume_valid=True))


@lru_cache(maxsize=256)  # more than the queries of the pipeline and its tests
def read(text: str) -> Document:
    """Parse and validate a document; errors are in the result."""
    try:
        parsed = parse(text)
    except GraphQLError as error:
        return Document((error_node(error, "parseError"),))
    if validate(schema(), parsed):
        return Document(tuple(_validation_errors(text)))
    operations = {}
    fragments = {}
    for definition in parsed.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else ""] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Document((), parsed, operations, fragments)


def variables(operation: OperationDefinitionNode, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Node]]:
    """Coerce the variable values of an operation; return them, and errors in Shopify's form."""
    coerced = get_variable_values(schema(), operation.variable_definitions, dict(values))
    if isinstance(coerced, list):
        return {}, [error_node(error, "INVALID_VARIABLE") for error in coerced]
    return coerced, []


def _validation_errors(text: str) -> list[Node]:
    parsed = parse(text)
    return [error_node(error, _code(rule)) for rule in specified_rules for error in validate(schema(), parsed, [rule])]


def _code(rule: type[ASTValidationRule]) -> str:
    return _CODES.get(rule.__name__, "invalidDocument")
