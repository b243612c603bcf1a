"""Tests of the use cases, without Dagster unless a test is about both."""
