"""The product's texts and names are plain English (CONTRIBUTING.md, Names and English)."""

from pathlib import Path

import shopify_xero_pipeline
from shopify_xero_pipeline_tests.english import uses

ROOT = Path(shopify_xero_pipeline.__path__[0])


def test_no_text_and_no_name_of_the_product_uses_a_banned_word() -> None:
    listed = [
        f"{use.path.relative_to(ROOT)}:{use.line}: {use.word}: {use.text}"
        for file in sorted(ROOT.rglob("*.py"))
        for use in uses(file)
    ]
    assert listed == []


def test_a_banned_word_is_noticed_in_a_docstring_a_comment_a_text_and_a_name(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('"""What somebody wants."""\nfound = print("it is told here")  # kept for later\nleft: int = 0\n')
    assert [(use.line, use.word) for use in uses(file)] == [
        (1, "somebody"), (2, "kept"), (2, "found"), (2, "told"), (3, "left"),
    ]  # fmt: skip


def test_a_search_that_has_no_result_is_not_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('"""The order was not found."""\n')
    assert list(uses(file)) == []
