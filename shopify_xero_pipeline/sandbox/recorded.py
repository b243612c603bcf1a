"""A shop and a Xero organisation from a folder of recorded responses, for the sandbox to serve.

This module reads and checks the files and returns them in the shape of the two local APIs, with defaults for missing
files. Generated trading is in `shop_generator/`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from shopify_xero_pipeline.sandbox.nodes import Node, RecordKind, Version

_TYPES: Mapping[RecordKind, str] = {"orders": "Order", "customers": "Customer", "products": "Product"}
_DEFAULT_SHOP: Node = {
    "id": "gid://shopify/Shop/1",
    "name": "Sandbox",
    "myshopifyDomain": "sandbox.myshopify.com",
    "ianaTimezone": "Pacific/Auckland",
}
_XERO_FILES = {
    "organisation": "xero_organisation.json",
    "accounts": "xero_accounts.json",
    "tax_rates": "xero_tax_rates.json",
    "currencies": "xero_currencies.json",
}


class RecordedError(ValueError):
    """A recorded file that cannot be used; the message names the file, the line and the problem."""


class RecordedShop:
    """The shop of a recorded folder (a `ShopSource`).

    `orders.jsonl`, `customers.jsonl` and `products.jsonl` contain one Admin GraphQL node a line, with complete
    connections; `shop.json` contains the Shop node. A record exists from its `createdAt` on; further lines with the
    same id are its later states, each from its `updatedAt` on. Without `customers.jsonl` the customers are those of the
    orders; without `shop.json` the shop trades in Auckland, in the first order's currency.

    Args:
        folder: the folder with the files.

    Raises:
        RecordedError: the folder does not exist, or a line of a file is invalid.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise RecordedError(f"{folder} is no folder; name one with orders.jsonl and its companions")
        self._folder = folder
        self._places: dict[int, str] = {}
        self._histories = {kind: _read_histories(folder, kind, self._places) for kind in _TYPES}
        if not (folder / "customers.jsonl").exists():
            self._histories["customers"] = _customers_of_orders(self._histories["orders"])
        self._shop = self._read_shop(folder / "shop.json")
        self._last = {kind: _last_change(histories) for kind, histories in self._histories.items()}

    def shop(self) -> Node:
        """Return the Shop node."""
        return self._shop

    def place_of(self, node: Node) -> str:
        """Return the file and line of a record's state; for any other node the file of the Shop node."""
        return self._places.get(id(node), str(self._folder / "shop.json"))

    def versions(self, kind: RecordKind, until: datetime) -> Mapping[str, Sequence[Version]]:
        """Return the recorded states up to an instant, by gid and in order of time."""
        if self._last[kind] <= until:
            return self._histories[kind]
        upto = {
            gid: [version for version in history if version.at <= until]
            for gid, history in self._histories[kind].items()
        }
        return {gid: history for gid, history in upto.items() if history}

    def _read_shop(self, file: Path) -> Node:
        orders = self._histories["orders"]
        currency = next((history[0].node.get("currencyCode") for history in orders.values()), None) or "NZD"
        recorded = _read_json(file) if file.exists() else {}
        if not isinstance(recorded, dict):
            raise RecordedError(f"{file}: expected one Shop node, a JSON object")
        shop = {**_DEFAULT_SHOP, "currencyCode": currency, **recorded}
        try:
            ZoneInfo(shop["ianaTimezone"])
        except (KeyError, OSError, ValueError, TypeError) as error:
            raise RecordedError(f"{file}: ianaTimezone {shop['ianaTimezone']!r} is no time zone") from error
        return shop


def recorded_xero_settings(folder: Path) -> dict[str, Any]:
    """Return the recorded settings of a Xero organisation; missing files are left out.

    Returns:
        Xero's responses under `organisation`, `accounts`, `tax_rates` and `currencies`, with exact numbers.

    Raises:
        RecordedError: a file is not JSON.
    """
    return {name: _read_json(folder / file) for name, file in _XERO_FILES.items() if (folder / file).exists()}


def _last_change(histories: Mapping[str, Sequence[Version]]) -> datetime:
    return max((history[-1].at for history in histories.values()), default=datetime.min.replace(tzinfo=UTC))


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except ValueError as error:
        raise RecordedError(f"{file}: not JSON: {error}") from error


def _read_histories(folder: Path, kind: RecordKind, places: dict[int, str]) -> dict[str, list[Version]]:
    file = folder / f"{kind}.jsonl"
    states: dict[str, list[tuple[datetime, Version]]] = {}
    for where, node in _read_nodes(file) if file.exists() else ():
        _check_node(node, kind, where)
        places[id(node)] = where
        updated = _parse_instant(node, ("updatedAt", "processedAt", "createdAt"), where)
        created = _parse_instant(node, ("createdAt", "processedAt", "updatedAt"), where)
        known = states.setdefault(node["id"], [])
        known.append((updated, Version(updated if known else created, node)))
    return {gid: _versions_in_order(history) for gid, history in states.items()}


def _versions_in_order(history: list[tuple[datetime, Version]]) -> list[Version]:
    first = history[0][1].at
    ordered = [version.node for _, version in sorted(history, key=lambda state: state[0])]
    times = sorted(updated for updated, _ in history)
    return [Version(first if place == 0 else times[place], node) for place, node in enumerate(ordered)]


def _read_nodes(file: Path) -> Iterator[tuple[str, Node]]:
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        where = f"{file} line {number}"
        if not line.strip():
            continue
        try:
            node = json.loads(line.decode("utf-8"), parse_float=Decimal)
        except ValueError as error:
            raise RecordedError(f"{where}: not JSON: {error}") from error
        if not isinstance(node, dict):
            raise RecordedError(f"{where}: expected one node, a JSON object")
        yield where, node


def _check_node(node: Node, kind: RecordKind, where: str) -> None:
    start = f"gid://shopify/{_TYPES[kind]}/"
    if not str(node.get("id") or "").startswith(start):
        raise RecordedError(f"{where}: id {node.get('id')!r} is no {start}<number>")
    cut = _incomplete_connection(node)
    if cut is not None:
        raise RecordedError(f"{where}: {cut} has a next page; record the whole connection, the sandbox pages it")


def _incomplete_connection(node: Any) -> str | None:
    """Return the name of a connection of which only one page was recorded."""
    waiting: list[tuple[str, Any]] = [("", node)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, list):
            waiting.extend((name, element) for element in value)
        elif isinstance(value, dict):
            if (value.get("pageInfo") or {}).get("hasNextPage"):
                return name
            waiting.extend(value.items())
    return None


def _parse_instant(node: Node, names: Sequence[str], where: str) -> datetime:
    text = next((node[name] for name in names if node.get(name)), None)
    if text is None:
        raise RecordedError(f"{where}: {', '.join(names)} are missing, so the record has no date")
    try:
        parsed = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise RecordedError(f"{where}: {text!r} is no timestamp") from error
    if parsed.tzinfo is None:
        raise RecordedError(f"{where}: {text!r} has no time zone; Shopify's timestamps end in Z")
    return parsed.astimezone(UTC)


def _customers_of_orders(orders: Mapping[str, Sequence[Version]]) -> dict[str, list[Version]]:
    """Return the customers of the orders, version as in its latest order."""
    latest: dict[str, Version] = {}
    first: dict[str, datetime] = {}
    for version in sorted(
        (version for history in orders.values() for version in history), key=lambda version: version.at
    ):
        customer = version.node.get("customer")
        if isinstance(customer, dict) and customer.get("id"):
            first.setdefault(customer["id"], version.at)
            stamp = {"createdAt": version.node.get("createdAt"), "updatedAt": version.node.get("updatedAt")}
            latest[customer["id"]] = Version(first[customer["id"]], {**stamp, **customer})
    return {gid: [version] for gid, version in latest.items()}
