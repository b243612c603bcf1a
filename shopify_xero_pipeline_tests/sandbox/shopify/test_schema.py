"""The served schema is a true part of the real one."""

from pathlib import Path

import pytest
from graphql import (
    DocumentNode,
    EnumTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    TypeDefinitionNode,
    UnionTypeDefinitionNode,
    build_schema,
    parse,
    print_ast,
    validate_schema,
)

import shopify_xero_pipeline.sandbox.shopify as package

pytestmark = pytest.mark.campaign

REPOSITORY = Path(__file__).parents[3]
REAL = REPOSITORY.parent / "shared" / "contracts" / "shopify_admin_2026-10.graphql"
SERVED = Path(str(package.__file__)).with_name("admin.graphql")


def types_of(document: DocumentNode) -> dict[str, TypeDefinitionNode]:
    return {each.name.value: each for each in document.definitions if isinstance(each, TypeDefinitionNode)}


@pytest.fixture(scope="module")
def served() -> dict[str, TypeDefinitionNode]:
    return types_of(parse(SERVED.read_text(encoding="utf-8"), no_location=True))


@pytest.fixture(scope="module")
def real() -> dict[str, TypeDefinitionNode]:
    if not REAL.exists():
        pytest.skip(f"the real schema is not beside this repository ({REAL.name})")
    return types_of(parse(REAL.read_text(encoding="utf-8"), no_location=True))


def signature(argument: InputValueDefinitionNode) -> str:
    default = f" = {print_ast(argument.default_value)}" if argument.default_value else ""
    return f"{argument.name.value}: {print_ast(argument.type)}{default}"


def facts(type_: TypeDefinitionNode) -> set[str]:
    """Everything a type states that could be wrong: fields with nullability, arguments, values, members, interfaces."""
    kind = type(type_).__name__
    if isinstance(type_, ScalarTypeDefinitionNode):
        return {kind}
    if isinstance(type_, EnumTypeDefinitionNode):
        return {kind, *(value.name.value for value in type_.values)}
    if isinstance(type_, UnionTypeDefinitionNode):
        return {kind, *(member.name.value for member in type_.types)}
    assert isinstance(type_, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode)
    fields = {f"{each.name.value}: {print_ast(each.type)}" for each in type_.fields}
    arguments = {f"{each.name.value}({signature(given)})" for each in type_.fields for given in each.arguments}
    return {kind, *fields, *arguments, *(f"implements {each.name.value}" for each in type_.interfaces)}


def test_the_served_schema_is_a_valid_one() -> None:
    assert validate_schema(build_schema(SERVED.read_text(encoding="utf-8"))) == []


def test_every_type_field_argument_and_nullability_served_stands_so_in_the_real_schema(
    served: dict[str, TypeDefinitionNode], real: dict[str, TypeDefinitionNode]
) -> None:
    assert set(served) - set(real) == set()
    invented = {name: facts(type_) - facts(real[name]) for name, type_ in served.items()}
    assert {name: facts for name, facts in invented.items() if facts} == {}


def test_every_enum_is_served_whole(served: dict[str, TypeDefinitionNode], real: dict[str, TypeDefinitionNode]) -> None:
    shortened = [
        name
        for name, type_ in served.items()
        if isinstance(type_, EnumTypeDefinitionNode) and facts(type_) != facts(real[name])
    ]
    assert shortened == []


def test_every_argument_that_must_be_given_is_served(
    served: dict[str, TypeDefinitionNode], real: dict[str, TypeDefinitionNode]
) -> None:
    required = {
        f"{name}.{each.name.value}({signature(given)})"
        for name, type_ in real.items()
        if name in served and isinstance(type_, ObjectTypeDefinitionNode)
        for each in type_.fields
        for given in each.arguments
        if print_ast(given.type).endswith("!") and each.name.value in {f.name.value for f in served[name].fields}  # type: ignore[attr-defined]
    }
    given = {
        f"{name}.{each.name.value}({signature(argument)})"
        for name, type_ in served.items()
        if isinstance(type_, ObjectTypeDefinitionNode)
        for each in type_.fields
        for argument in each.arguments
    }
    assert required - given == set()
