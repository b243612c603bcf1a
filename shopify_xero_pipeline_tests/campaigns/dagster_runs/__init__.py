"""Dagster end to end: a real daemon, real runs, a sandbox over HTTP, and crashes in the middle of a write."""
