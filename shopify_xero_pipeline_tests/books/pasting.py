"""Pasting a remedy into `books.yaml` as a person would: the line as it stands, at the place that is named."""

import re

from shopify_xero_pipeline.books.remedies import Remedy


def pasted(text: str, remedy: Remedy) -> str:
    """Return the file with the line in it: below its section, or in the stead of the line that is there."""
    lines = text.split("\n")
    if remedy.verb == "set in":
        lines = without(lines, remedy)
    at = 0 if not remedy.place else section(lines, remedy.place) + 1
    return "\n".join([*lines[:at], remedy.indented, *lines[at:]])


def section(lines: list[str], place: str) -> int:
    """Return the line on which a section begins: `tax.rates` is `rates:` below `tax:`."""
    at = -1
    for depth, name in enumerate(place.split(".")):
        begins = re.compile(rf"{'  ' * depth}{name}:\s*(#.*)?$")
        at = next(number for number in range(at + 1, len(lines)) if begins.match(lines[number]))
    return at


def without(lines: list[str], remedy: Remedy) -> list[str]:
    """Return the file without the line that the new one takes the place of."""
    depth = remedy.place.count(".") + 1 if remedy.place else 0
    begins = re.compile(rf"{'  ' * depth}{remedy.line.partition(':')[0]}:")
    return [line for line in lines if not begins.match(line)]
