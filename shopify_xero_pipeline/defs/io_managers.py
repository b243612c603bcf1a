"""The IO manager, which stores one JSON file a day for each asset on a disk or in a bucket.

An asset returns `{day: value}` and its readers get `{day: value}`, in a run of one day as in a run of a range. Decimals
are exact and stored as text. Steps of one run share the objects in memory. Orders contain names and addresses, so only
the owner may read the files (mode 600) and enter their folders (mode 700).
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import TypeAdapter
from upath import UPath

from shopify_xero_pipeline.changes.models import ChangeSet
from shopify_xero_pipeline.clock import Clock, SystemClock
from shopify_xero_pipeline.pipeline import storage_errors
from shopify_xero_pipeline.shopify.models import Customer, Order, Product

STORED_TYPES: Mapping[str, TypeAdapter[Any]] = {
    "shopify/customers": TypeAdapter(list[Customer]),
    "shopify/products": TypeAdapter(list[Product]),
    "shopify/orders": TypeAdapter(list[Order]),
    **dict.fromkeys(
        ("changes/contacts", "changes/items", "changes/invoices", "changes/credit_notes", "changes/payments"),
        TypeAdapter(ChangeSet),
    ),
}
"""Types of a day's value by asset key."""

PLAIN_JSON: TypeAdapter[Any] = TypeAdapter(Any)

PERSONAL_DATA_KEYS = (
    dg.AssetKey(["shopify", "customers"]),
    dg.AssetKey(["shopify", "orders"]),
    dg.AssetKey(["changes", "contacts"]),
)
"""Assets with personal data. A deleted day is materialised again by the next run that needs it."""


class JsonIOManager(dg.IOManager):
    """An IO manager with files `<asset key>/<day>.json` below a folder or bucket.

    Args:
        base_path: the folder or bucket.
        retention: age since the last write at which days with personal data are deleted; None for never.
        clock: clock of the host that dates the files.
        types: types of a day's value by asset key; an asset without a type has plain JSON.
    """

    def __init__(
        self,
        base_path: UPath,
        retention: timedelta | None = None,
        clock: Clock | None = None,
        types: Mapping[str, TypeAdapter[Any]] = STORED_TYPES,
    ) -> None:
        self._types = types
        self._base_path = base_path
        self._retention = retention
        self._clock = clock or SystemClock()
        self._run_id = ""
        self._values: dict[tuple[dg.AssetKey, str], Any] = {}
        self._has_purged = False

    def purge_before(self, before: datetime) -> int:
        """Delete the days with personal data that were last written before an instant; return their number."""
        old = [
            path
            for key in PERSONAL_DATA_KEYS
            for path in self._list_days(key.path)
            if _modified_at(path) < before.timestamp()
        ]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def rewrite(self, asset: Sequence[str], change: Callable[[Any], Any]) -> int:
        """Rewrite the stored days of an asset; return the number of days that changed.

        Args:
            asset: path of the asset's key.
            change: returns the new JSON for a day's JSON, without changing it in place.
        """
        changed = 0
        for path in self._list_days(asset):
            if not path.name.endswith(".json"):
                path.unlink()  # the partial file of a run whose process died
                continue
            before = PLAIN_JSON.validate_json(path.read_bytes())
            after = change(before)
            if after != before:
                _write(path, after)
                changed += 1
        return changed

    def _list_days(self, asset: Sequence[str]) -> Iterator[UPath]:
        folder = self._base_path.joinpath(*asset)
        return iter(sorted(folder.iterdir(), key=str)) if folder.is_dir() else iter(())

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write every day's value.

        Raises:
            ValueError: the value lacks a day of the run, whose file would silently stay as it is, or has another one.
            dg.Failure: the storage cannot be written.
        """
        if obj is None:
            return
        by_key = {str(day): value for day, value in obj.items()}
        expected = set(context.asset_partition_keys)
        if set(by_key) != expected:
            raise ValueError(f"{context.asset_key.to_user_string()} must return each of the days {sorted(expected)}")
        with self._translate_os_errors():
            values = self._run_values(context.run_id)
            if self._retention is not None and context.asset_key in PERSONAL_DATA_KEYS and not self._has_purged:
                self.purge_before(self._clock.now() - self._retention)
                self._has_purged = True  # once a run, because it looks at every stored day
            for key, value in by_key.items():
                _write(self._path(context.asset_key, key), value)
                values[context.asset_key, key] = value

    def load_input(self, context: dg.InputContext) -> dict[date, Any]:
        """Return the value of each day of the run.

        Raises:
            dg.Failure: a day was never materialised or cannot be read; the message names the asset to materialise.
        """
        asset, values = context.asset_key, self._run_values(_run_id(context))
        with self._translate_os_errors():
            return {
                date.fromisoformat(key): values[asset, key] if (asset, key) in values else self._read(asset, key)
                for key in context.asset_partition_keys
            }

    def _run_values(self, run_id: str) -> dict[tuple[dg.AssetKey, str], Any]:
        """Return the values that a run has stored; drop those of an earlier run, because files may have changed."""
        if run_id != self._run_id:
            self._run_id, self._values, self._has_purged = run_id, {}, False
        return self._values

    def _read(self, asset: dg.AssetKey, day: str) -> Any:
        path, name = self._path(asset, day), asset.to_user_string()
        if not path.exists():
            raise dg.Failure(f"{name} has no {day} yet: materialise it for that day first.", allow_retries=False)
        content = path.read_bytes()
        try:
            return self._types.get(name, PLAIN_JSON).validate_json(content)
        except ValueError:  # also pydantic's ValidationError
            message = f"{path} is damaged: materialise {name} and its downstream assets for {day} again."
            raise dg.Failure(message, allow_retries=False) from None

    @contextmanager
    def _translate_os_errors(self) -> Iterator[None]:
        """Raise an `OSError` as a failure with a remedy."""
        try:
            yield
        except OSError as error:
            message = storage_errors.describe_os_error(error, f"ASSET_STORAGE ({self._base_path})")
            raise dg.Failure(message, allow_retries=False) from None

    def _path(self, key: dg.AssetKey, day: str) -> UPath:
        return self._base_path.joinpath(*key.path, f"{day}.json")


def _run_id(context: dg.InputContext) -> str:
    """Return the id of the run that reads, or '' outside a run."""
    try:
        return str(context.step_context.run_id)
    except dg.DagsterInvariantViolationError:
        return ""


def _write(path: UPath, value: object) -> None:
    """Write a value as JSON, atomically; on a disk with mode 600, independently of the umask."""
    content = PLAIN_JSON.dump_json(value, indent=1)
    if path.protocol not in {"", "file"}:
        path.write_bytes(content)  # buckets write objects atomically and have their own access control
        return
    file = Path(path.path)
    _make_folder(file.parent)
    partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")  # unique: two runs may write one day
    partial.touch(mode=0o600)
    partial.chmod(0o600)
    partial.write_bytes(content)
    partial.replace(file)


def _modified_at(path: UPath) -> float:
    """Return when a file was last written, in Unix time; infinity if another run has just deleted it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return inf


def _make_folder(folder: Path) -> None:
    """Create a folder and its missing parents with mode 700, which `mkdir(parents=True)` does not give to parents."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
