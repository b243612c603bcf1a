"""Tests of the comparison, the statements and the verdict."""
