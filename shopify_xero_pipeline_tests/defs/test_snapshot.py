"""A snapshot of everything that people, schedules and saved links know by name, compared with a stored one.

Renaming a key, a check or a job loses its history in Dagster, so a change of the snapshot must be meant. To store the
present one: `python -m shopify_xero_pipeline_tests.defs.test_snapshot`.
"""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from shopify_xero_pipeline.books.policy import BooksPolicy
from shopify_xero_pipeline.definitions import build_definitions

SNAPSHOT = Path(__file__).with_name("snapshot.json")


def snapshot(definitions: dg.Definitions) -> dict[str, Any]:
    """Return keys, dependencies, checks, jobs, schedules, sensors and descriptions, sorted by name."""
    repository = definitions.get_repository_def()
    graph = definitions.resolve_asset_graph()
    return {
        "assets": {
            key.to_user_string(): {
                "dependencies": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
                "group": graph.get(key).group_name,
                "kinds": sorted(graph.get(key).kinds),
                "pools": sorted(graph.get(key).pools or ()),
                "description": graph.get(key).description,
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": {
            key.to_user_string(): {
                "description": graph.get_check_spec(key).description,
                "partitioned": graph.get_check_spec(key).partitions_def is not None,
            }
            for key in sorted(graph.asset_check_keys)
        },
        "jobs": {job.name: job.description for job in sorted(repository.get_all_jobs(), key=lambda job: job.name)},
        "schedules": {
            one.name: {"cron": one.cron_schedule, "description": one.description}
            for one in sorted(repository.schedule_defs, key=lambda one: one.name)
        },
        "sensors": {
            one.name: {"seconds": one.minimum_interval_seconds, "description": one.description}
            for one in sorted(repository.sensor_defs, key=lambda one: one.name)
        },
    }


def test_what_people_and_saved_links_know_by_name_changes_only_on_purpose() -> None:
    assert snapshot(build_definitions(policy=BooksPolicy())) == json.loads(SNAPSHOT.read_text())


if __name__ == "__main__":
    present = snapshot(build_definitions(policy=BooksPolicy()))
    SNAPSHOT.write_text(json.dumps(present, indent=2, ensure_ascii=False) + "\n")
