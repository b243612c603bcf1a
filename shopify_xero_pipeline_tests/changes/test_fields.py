from decimal import Decimal

from shopify_xero_pipeline.changes.fields import differences, flatten, parse_payload


def test_nested_content_is_flattened_to_paths() -> None:
    content = {"name": "Tee", "lines": [{"tax": Decimal("1.50")}, {"tax": None}], "sold": True}
    assert flatten(content) == {"name": "Tee", "lines.0.tax": "1.50", "sold": "True"}


def test_differences_name_what_came_what_went_and_what_changed() -> None:
    before, after = {"a": 1, "gone": "x"}, {"a": 2, "new": "y"}
    found = [(field.field, field.before, field.after) for field in differences(before, after)]
    assert found == [("a", "1", "2"), ("new", None, "y"), ("gone", "x", None)]


def test_numbers_of_a_stored_payload_stay_exact() -> None:
    assert parse_payload('{"amount": 9007199254740993.01}') == {"amount": Decimal("9007199254740993.01")}
