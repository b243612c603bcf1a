"""Tests of the write protocol against the sandbox."""
