"""Tests of events, logs and escaping."""
