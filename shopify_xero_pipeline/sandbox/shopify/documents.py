"""The schema served, and documents checked against it once: parse and validation errors with Shopify's codes (E3)."""

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
from shopify_xero_pipeline.sandbox.shopify.errors import shown
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
    """A document as far as it is understood: whole and by its parts, or the errors that stop it."""

    errors: tuple[Node, ...] = ()
    tree: DocumentNode = field(default_factory=DocumentNode)
    operations: Mapping[str, OperationDefinitionNode] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation meant: the named one, or the only one."""
        if name:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None


@cache
def schema() -> GraphQLSchema:
    """Return the served subset of the Admin API, ready to be executed."""
    return attach(build_schema(_SDL.read_text(encoding="utf-8"), assume_valid=True))


@lru_cache(maxsize=256)
def read(text: str) -> Document:
    """Parse and validate a document."""
    try:
        parsed = parse(text)
    except GraphQLError as error:
        return Document((shown(error, "parseError"),))
    if validate(schema(), parsed):
        return Document(tuple(_coded(text)))
    operations = {}
    fragments = {}
    for definition in parsed.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else ""] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Document((), parsed, operations, fragments)


def variables(operation: OperationDefinitionNode, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Node]]:
    """Coerce variable values; errors come back as Shopify shows them."""
    coerced = get_variable_values(schema(), operation.variable_definitions, dict(given))
    if isinstance(coerced, list):
        return {}, [shown(error, "INVALID_VARIABLE") for error in coerced]
    return coerced, []


def _coded(text: str) -> list[Node]:
    parsed = parse(text)
    return [shown(error, _code(rule)) for rule in specified_rules for error in validate(schema(), parsed, [rule])]


def _code(rule: type[ASTValidationRule]) -> str:
    return _CODES.get(rule.__name__, "invalidDocument")
