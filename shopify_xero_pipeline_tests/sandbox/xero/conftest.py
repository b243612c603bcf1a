"""A fresh sandbox for each test."""

import pytest

from shopify_xero_pipeline_tests.sandbox.xero.caller import Caller


@pytest.fixture
def xero() -> Caller:
    return Caller()
