"""The rendered metadata as text and as rows, and results of a load to render."""

from decimal import Decimal
from typing import Any

import dagster as dg

from shopify_xero_pipeline.defs.metadata import tables
from shopify_xero_pipeline.loading.load_report import LoadOutcome, LoadResult
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.rows import DAY

LINKS = tables.Links("goods.myshopify.com")
ORDER_LINK = "[#1001](https://admin.shopify.com/store/goods/orders/5001)"


def result(**given: Any) -> LoadResult:
    plain = {
        "day": DAY,
        "kind": Kind.INVOICE,
        "shopify_id": "5001/77",
        "natural_key": "SH-1001",
        "order_id": "5001",
        "order_name": "#1001",
        "outcome": LoadOutcome.CREATED,
        "amount": Decimal("23.00"),
        "currency": "NZD",
    }
    return LoadResult.model_validate(plain | given)


def text(shown: Any) -> str:
    assert isinstance(shown, dg.MarkdownMetadataValue | dg.TextMetadataValue)
    return str(shown.value)


def rows_of(shown: Any) -> list[dict[str, Any]]:
    assert isinstance(shown, dg.TableMetadataValue)
    return [dict(record.data) for record in shown.records]
