"""The IO manager: one JSON file a day for each asset, with exact decimals as text, on a disk or in a bucket.

An asset returns `{day: value}` and its readers get `{day: value}`, in a run of one day as in a run of a range. The
value's type is the asset's, listed here; a step of the same run gets the very objects that an earlier step returned.
Files are readable by their owner alone, in folders that nobody else may enter: orders carry names and addresses.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
from pydantic import BaseModel, TypeAdapter
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
"""The type of a day's value, by asset."""

PERSONAL_DATA_KEYS = (
    dg.AssetKey(["shopify", "customers"]),
    dg.AssetKey(["shopify", "orders"]),
    dg.AssetKey(["changes", "contacts"]),
)
"""The assets that hold personal data. Any run that needs a day of theirs makes it again."""


class JsonIOManager(dg.IOManager):
    """One `<asset key>/<day>.json` below a folder or bucket.

    Args:
        base_path: the folder or bucket.
        keep: how long days with personal data are kept after they were last written; None for ever.
        clock: of the machine that dates the files.
        types: of a day's value, by asset; the value of an asset without one is plain JSON.
    """

    def __init__(
        self,
        base_path: UPath,
        keep: timedelta | None = None,
        clock: Clock | None = None,
        types: Mapping[str, TypeAdapter[Any]] = STORED_TYPES,
    ) -> None:
        self._types = types
        self._base_path = base_path
        self._keep = keep
        self._clock = clock or SystemClock()
        self._run_id = ""
        self._values: dict[tuple[dg.AssetKey, str], Any] = {}

    def purge_before(self, before: datetime) -> int:
        """Delete the days with personal data that were last written before an instant; return how many there were."""
        old = [
            path for key in PERSONAL_DATA_KEYS for path in self._days(key.path) if _written(path) < before.timestamp()
        ]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def rewrite(self, asset: Sequence[str], change: Callable[[Any], Any]) -> int:
        """Change what is stored of an asset, day by day, and return how many days this changed.

        Args:
            asset: the path of its key.
            change: gets a day's JSON and returns what it shall be; it changes nothing in place.
        """
        changed = 0
        for path in self._days(asset):
            if not path.name.endswith(".json"):
                path.unlink()  # left by a run that died while it wrote
                continue
            before = json.loads(path.read_bytes())
            after = change(before)
            if after != before:
                _write(path, _json(after))
                changed += 1
        return changed

    def _days(self, asset: Sequence[str]) -> Iterator[UPath]:
        folder = self._base_path.joinpath(*asset)
        return iter(sorted(folder.iterdir(), key=str)) if folder.is_dir() else iter(())

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write every day's value; all days of the run must be there, so that none is silently left as it was."""
        if obj is None:
            return
        by_key = {str(day): value for day, value in obj.items()}
        expected = set(context.asset_partition_keys)
        if set(by_key) != expected:
            raise ValueError(f"{context.asset_key.to_user_string()} must return each of the days {sorted(expected)}")
        with self._disk_faults():
            if self._keep is not None and context.asset_key in PERSONAL_DATA_KEYS:
                self.purge_before(self._clock.now() - self._keep)
            values = self._values_of(context.run_id)
            for key, value in by_key.items():
                _write(self._path(context.asset_key, key), _json(_plain(value)))
                values[context.asset_key, key] = value

    def load_input(self, context: dg.InputContext) -> dict[date, Any]:
        """Return the value of each day of the run.

        Raises:
            dg.Failure: a day was never materialised, or cannot be read; the message says which asset to run first.
        """
        asset, stored = context.asset_key, self._values_of(_run_id(context))
        with self._disk_faults():
            return {
                date.fromisoformat(key): stored[asset, key] if (asset, key) in stored else self._read(asset, key)
                for key in context.asset_partition_keys
            }

    def _values_of(self, run_id: str) -> dict[tuple[dg.AssetKey, str], Any]:
        """Return the values that this run has stored; those of earlier runs are dropped, as files may have changed."""
        if run_id != self._run_id:
            self._run_id, self._values = run_id, {}
        return self._values

    def _read(self, asset: dg.AssetKey, day: str) -> Any:
        path, name = self._path(asset, day), asset.to_user_string()
        if not path.exists():
            raise dg.Failure(f"{name} has no {day} yet: materialise it for that day first.", allow_retries=False)
        content = path.read_bytes()
        try:
            return self._types[name].validate_json(content) if name in self._types else json.loads(content)
        except ValueError:  # also pydantic's ValidationError
            said = f"{path} is damaged: materialise {name} for {day} again, and what follows from it."
            raise dg.Failure(said, allow_retries=False) from None

    @contextmanager
    def _disk_faults(self) -> Iterator[None]:
        """Turn what the disk says into a failed step that says what to do."""
        try:
            yield
        except OSError as problem:
            said = storage_errors.describe_os_error(problem, f"ASSET_STORAGE ({self._base_path})")
            raise dg.Failure(said, allow_retries=False) from None

    def _path(self, key: dg.AssetKey, day: str) -> UPath:
        return self._base_path.joinpath(*key.path, f"{day}.json")


def _run_id(context: dg.InputContext) -> str:
    """Return the run that reads, or '' outside of a run."""
    try:
        return str(context.step_context.run_id)
    except dg.DagsterInvariantViolationError:
        return ""


def _write(path: UPath, content: bytes) -> None:
    """Write a file whole or not at all; on a disk only its owner may read it, whatever the umask says."""
    if path.protocol not in {"", "file"}:
        path.write_bytes(content)  # a bucket shows an object when it is complete, and knows its own readers
        return
    file = Path(path.path)
    _make_folder(file.parent)
    partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}.partial")  # two runs may write the same day at once
    partial.touch(mode=0o600)
    partial.chmod(0o600)
    partial.write_bytes(content)
    partial.replace(file)


def _written(path: UPath) -> float:
    """Return when a file was last written; one that another run has just deleted counts as new."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return inf


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, all of them for their owner alone; `mkdir` opens those above to everyone."""
    if not folder.exists():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)


def _json(plain: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(plain), indent=1)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
