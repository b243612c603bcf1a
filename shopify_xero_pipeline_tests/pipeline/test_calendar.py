from datetime import date

from shopify_xero_pipeline.pipeline.calendar import as_ranges, days_between


def day(number: int, month: int = 9) -> date:
    return date(2026, month, number)


def test_neighbouring_days_run_together_and_gaps_of_up_to_three_days_are_bridged() -> None:
    assert as_ranges([day(1), day(2), day(6)]) == [(day(1), day(6))]
    assert as_ranges([day(1), day(6)]) == [(day(1), day(1)), (day(6), day(6))]


def test_a_range_holds_any_number_of_days() -> None:
    ranges = as_ranges(days_between(day(1, 7), day(30)))
    assert [(last - first).days + 1 for first, last in ranges] == [92]


def test_days_in_any_order_and_named_twice_make_the_same_ranges() -> None:
    assert as_ranges([day(3), day(1), day(3), day(2)]) == [(day(1), day(3))]
    assert as_ranges([]) == []
