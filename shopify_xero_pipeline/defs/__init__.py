"""The thin Dagster layer: assets, checks, jobs, schedules. What they do stands in the rooms; here it is wired."""
