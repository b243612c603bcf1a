"""The metadata of extracted records."""

from shopify_xero_pipeline.defs.metadata import records
from shopify_xero_pipeline_tests.defs.metadata.shown import text


def test_of_extracted_records_only_the_number_is_shown() -> None:
    assert records.row_count_metadata([object(), object()]) == {"dagster/row_count": 2}
    shown = records.order_metadata([])
    assert (shown["dagster/row_count"], text(shown["current sales"])) == (0, "none")
