"""From the text of `books.yaml` to policies: exact scalars, and complaints that name file, line, key and remedy.

Only reading and wording belong here; which values are allowed stands with the policies. Every scalar but true, false
and null stays text until its policy makes a number or a date of it, so that 0.05 is exactly that, account 090 keeps
its zero, and NO is Norway.
"""

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

Path = tuple[str | int, ...]
Schema = Mapping[str, Any]  # JSON Schema as pydantic writes it
Chosen = TypeVar("Chosen", bound=BaseModel)

REMEDIES = {
    "extra_forbidden": "is not a setting",
    "missing": "is missing; add it",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "decimal_parsing": "must be a number such as 0.05",
    "decimal_type": "must be a number such as 0.05",
    "date_from_datetime_parsing": "must be a day such as 2026-09-21",
    "date_parsing": "must be a day such as 2026-09-21",
    "date_type": "must be a day such as 2026-09-21",
    "tuple_type": "must be a list (lines that start with '- ')",
    "model_type": "must be a group of settings (indented lines of 'name: value')",
    "dict_type": "must be a group of settings (indented lines of 'name: value')",
    "mapping_type": "must be a group of settings (indented lines of 'name: value')",
    "string_pattern_mismatch": "must be a two-letter country code such as NZ",
    "string_too_short": "must not be empty",
    "finite_number": "must be a number such as 0.05",
}


class PolicyError(ValueError):
    """`books.yaml` cannot be used; the message names file, line and setting and says what to write instead."""


@dataclass
class _Tree:
    """A file's content with the line each value stands on."""

    lines: dict[Path, int] = field(default_factory=dict)
    duplicates: list[Path] = field(default_factory=list)

    def plain(self, node: yaml.Node, path: Path = ()) -> object:
        """Return a node as dictionaries, lists, text, bool and None, and remember the lines."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*path, index)) for index, item in enumerate(node.value)]
        return _scalar(node)

    def line(self, path: Path) -> int:
        """Return the line of the nearest value written down."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        content: dict[str, object] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            here = (*path, name)
            self.lines[here] = key.start_mark.line + 1
            if name in content:
                self.duplicates.append(here)
            content[name] = self.plain(value, here)
        return content


def parse_policy(model: type[Chosen], text: str, source: str) -> Chosen:
    """Return the policies a text spells.

    Raises:
        PolicyError: with one line for each thing that is wrong.
    """
    tree = _Tree()
    content = _content(text, source, tree)
    if tree.duplicates:
        raise PolicyError(
            "\n".join(
                f"{source} line {tree.line(at)}: {_dotted(at)} is given twice; keep one" for at in tree.duplicates
            )
        )
    try:
        return model.model_validate_json(json.dumps(content))
    except ValidationError as error:
        complaints = [_complaint(detail, tree, source, model) for detail in error.errors()]
        raise PolicyError("\n".join(complaints)) from None


def _content(text: str, source: str, tree: _Tree) -> dict[str, object]:
    try:
        aliases = [_line_of(event.start_mark) for event in yaml.parse(text) if isinstance(event, yaml.AliasEvent)]
        node = None if aliases else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        line = _line_of(getattr(error, "problem_mark", None))
        problem = getattr(error, "problem", None) or "this cannot be read"
        raise PolicyError(
            f"{source} line {line}: this is not YAML ({problem}); check the indentation, the colon after the key"
            " and the quotes"
        ) from None
    if aliases:
        raise PolicyError(f"{source} line {aliases[0]}: references (*name) are not read here; write the value out")
    content = tree.plain(node) if node is not None else {}
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise PolicyError(
            f"{source} line 1: expected settings as 'name: value' lines, for example 'time_zone: Pacific/Auckland'"
        )
    return content


def _line_of(mark: object) -> int:
    return int(getattr(mark, "line", 0)) + 1


def _scalar(node: yaml.Node) -> str | bool | None:
    text = str(node.value)
    plain = getattr(node, "style", None) is None
    if plain and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if plain and text.lower() in {"", "~", "null"}:
        return None
    return text


def _complaint(detail: ErrorDetails, tree: _Tree, source: str, model: type[BaseModel]) -> str:
    path = tuple(part for part in detail["loc"] if part != "[key]")
    return f"{source} line {tree.line(path)}: {_dotted(path) or 'the file'} {_what(detail, path, model)}"


def _what(detail: ErrorDetails, path: Path, model: type[BaseModel]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    given = detail["input"]
    if kind == "value_error":
        return f"cannot be used: {context['error']}"
    if kind == "literal_error":
        wrong = "is empty" if given is None else f"cannot be {given!r}"
        return f"{wrong}; write one of {context['expected']}"
    if kind == "extra_forbidden":
        return f"{REMEDIES[kind]}; {_meant(str(path[-1]), path[:-1], model)}"
    if kind == "string_too_long":
        return f"is too long; write at most {context['max_length']} characters"
    if kind in {"greater_than_equal", "less_than", "less_than_equal"}:
        hint = " (15 % is written 0.15)" if path[-1] == "rate" else ""
        return f"cannot be {given}; {detail['msg'].replace('Input', 'it')}{hint}"
    remedy = REMEDIES.get(kind, detail["msg"])
    return f"{remedy}, not {given!r}" if isinstance(given, str | bool) else remedy


def _meant(name: str, path: Path, model: type[BaseModel]) -> str:
    known = sorted(_known(path, model))
    close = difflib.get_close_matches(name, known)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


def _known(path: Path, model: type[BaseModel]) -> Iterator[str]:
    """Yield the settings that exist at a path, found by walking the JSON schema."""
    schema = TypeAdapter(model).json_schema()
    here: Schema = schema
    for part in path:
        here = _resolved(here, schema)
        here = here.get("items", {}) if isinstance(part, int) else here.get("properties", {}).get(part, {})
    yield from _resolved(here, schema).get("properties", {})


def _resolved(node: Schema, schema: Schema) -> Schema:
    reference = node.get("$ref")
    return schema["$defs"][reference.rsplit("/", 1)[-1]] if reference else node


def _dotted(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
