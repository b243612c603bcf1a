"""The words and names that this project does not use (CONTRIBUTING.md, Names and English), and where they stand.

`python -m shopify_xero_pipeline_tests.english PATH ...` lists them; `test_english.py` accepts none. Checked are
docstrings, comments, texts for people, and the names of functions, parameters and variables.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

WORDS = re.compile(
    r"\b(told|tells?|telling|said|says?|kept|shown|asked|found|somebody|nobody|whoever|anybody|bearer|bookkeeper)\b",
    re.I,
)
LITERAL = re.compile(r"not (be )?found|\bfound by\b|bearer token", re.IGNORECASE)
"""Uses in the literal sense: an answer of HTTP, a search, a kind of access token."""

NAMES = frozenset(
    {
        "found",
        "told",
        "kept",
        "shown",
        "said",
        "asked",
        "given",
        "left",
        "some",
        "one",
        "says",
        "tell",
        "keeper",
        "bearer",
    }
)
"""Participles and pronouns that name nothing."""

SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]+ ")


class Use(NamedTuple):
    """A word or a name where it does not belong."""

    path: Path
    line: int
    word: str
    text: str


def uses(path: Path) -> Iterator[Use]:
    """Yield every use in a Python file, in the order of its lines."""
    source = path.read_text(encoding="utf-8")
    found = [*_in_comments(path, source), *_in_tree(path, ast.parse(source))]
    yield from sorted(found, key=lambda use: use.line)


def _in_comments(path: Path, source: str) -> Iterator[Use]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from _in_text(path, token.start[0], token.string)


def _in_tree(path: Path, tree: ast.AST) -> Iterator[Use]:
    fields = {id(node.target) for body in _class_bodies(tree) for node in body if isinstance(node, ast.AnnAssign)}
    for node in ast.walk(tree):
        if id(node) in fields:
            continue  # a field is stored or published under its name
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SENTENCE.search(node.value):
            for number, line in enumerate(node.value.split("\n")):
                yield from _in_text(path, node.lineno + number, line)
        for name in _names(node):
            if name.strip("_") in NAMES:
                yield Use(path, getattr(node, "lineno", 0), name, "a name")


def _class_bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    return (node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _in_text(path: Path, line: int, text: str) -> Iterator[Use]:
    for match in WORDS.finditer(LITERAL.sub("", text)):
        yield Use(path, line, match[0], text.strip()[:100])


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id


def main(arguments: list[str]) -> int:
    """Print the uses below paths; return 1 if there are any."""
    files = [file for argument in arguments for file in _files(Path(argument))]
    listed = [use for file in files for use in uses(file)]
    for use in listed:
        print(f"{use.path}:{use.line}: {use.word}: {use.text}")
    print(f"{len(listed)} in {len(files)} files")
    return int(bool(listed))


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
