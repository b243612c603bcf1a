"""Every reason the books can block an order with, read from the source: the words, with … where a value stands.

Only the reading of source text belongs here.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import shopify_xero_pipeline.books
import shopify_xero_pipeline.changes

BOOKS = Path(shopify_xero_pipeline.books.__path__[0])
CHANGES = Path(shopify_xero_pipeline.changes.__path__[0])
ANY = "…"


@cache
def reasons() -> list[str]:
    """Return the wording of every reason: of `Blocked` in the books, and of lines blocked by the plan."""
    found: list[str] = []
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(BOOKS.glob("*.py"))]
    functions = {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for tree in trees:
        found += _of_blocked(tree, functions)
    for path in sorted(CHANGES.glob("*.py")):
        found += _of_blocked_lines(ast.parse(path.read_text(encoding="utf-8")))
    return found


def _of_blocked(tree: ast.Module, functions: dict[str, ast.FunctionDef]) -> Iterator[str]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "OrderBlockedError":
            yield from _wordings(call.args[0], functions)


def _of_blocked_lines(tree: ast.Module) -> Iterator[str]:
    """Yield the texts named `reason` in functions that block a line of the plan themselves."""
    for function in ast.walk(tree):
        inside = list(ast.walk(function)) if isinstance(function, ast.FunctionDef) else []
        if any(isinstance(node, ast.Attribute) and node.attr == "BLOCKED" for node in inside):
            for node in inside:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    yield from [_text(node.value)] if node.targets[0].id == "reason" else []


def _wordings(node: ast.expr, functions: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """Yield the text of an argument, or those that a function of the room returns for it."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        yield _text(node)
        return
    for inner in ast.walk(functions[node.func.id]):
        if isinstance(inner, ast.Return) and inner.value is not None:
            yield _text(inner.value)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr), f"a reason that is no text: {ast.unparse(node)}"
    return "".join(str(part.value) if isinstance(part, ast.Constant) else ANY for part in node.values)
