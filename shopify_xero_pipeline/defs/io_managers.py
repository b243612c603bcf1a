"""Stores what an asset returns as JSON, one file a day, exact decimals as text, on a disk or in a bucket.

An asset returns `{day: value}` and its readers get `{day: value}`, in a run of one day as in a run of a range. Nothing
here knows what is stored: models come in as pydantic and go out as plain JSON, which the asset that reads it types
again. Files are readable by their owner alone, as orders carry names and addresses.
"""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
from pydantic import BaseModel
from upath import UPath


class JsonIOManager(dg.IOManager):
    """One `<asset key>/<day>.json` below a folder or bucket."""

    def __init__(self, base_path: UPath) -> None:
        self._base_path = base_path

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write every day's value; all days of the run must be there, so that none is silently left as it was."""
        if obj is None:
            return
        by_key = {str(day): value for day, value in obj.items()}
        expected = set(context.asset_partition_keys)
        if set(by_key) != expected:
            raise ValueError(f"{context.asset_key.to_user_string()} must return each of the days {sorted(expected)}")
        for key, value in by_key.items():
            _write(
                self._path(context.asset_key, key), msgspec.json.format(msgspec.json.encode(_plain(value)), indent=1)
            )

    def load_input(self, context: dg.InputContext) -> dict[date, Any]:
        """Return the plain JSON of each day of the run.

        Raises:
            dg.Failure: a day was never materialised; the message says which asset to run first.
        """
        found = {}
        for key in context.asset_partition_keys:
            path = self._path(context.asset_key, key)
            if not path.exists():
                name = context.asset_key.to_user_string()
                raise dg.Failure(f"{name} has no {key} yet: materialise it for that day first.", allow_retries=False)
            found[date.fromisoformat(key)] = json.loads(path.read_bytes())
        return found

    def _path(self, key: dg.AssetKey, day: str) -> UPath:
        return self._base_path.joinpath(*key.path, f"{day}.json")


def _write(path: UPath, content: bytes) -> None:
    """Write a file whole or not at all; on a disk only its owner may read it, whatever the umask says."""
    if path.protocol not in {"", "file"}:
        path.write_bytes(content)  # a bucket shows an object when it is complete, and knows its own readers
        return
    file = Path(path.path)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = file.with_name(f"{file.name}.partial")
    partial.touch(mode=0o600)
    partial.chmod(0o600)
    partial.write_bytes(content)
    partial.replace(file)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
