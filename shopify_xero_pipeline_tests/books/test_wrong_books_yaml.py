"""A wrong `books.yaml` is refused before anything happens: the line, the setting, and what to write instead."""

from pathlib import Path

import pytest

from shopify_xero_pipeline.books.policy import BooksPolicy, PolicyError

REPOSITORYS = (Path(__file__).parents[2] / "books.yaml").read_text()


def complaint(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        BooksPolicy.from_yaml(text, "books.yaml")
    return str(caught.value)


def changed(old: str, new: str) -> str:
    """Return the repository's file with one place changed."""
    assert REPOSITORYS.count(old) == 1
    return REPOSITORYS.replace(old, new)


def line_of(words: str) -> int:
    """Return the line of the repository's file on which words stand."""
    return next(number for number, line in enumerate(REPOSITORYS.splitlines(), start=1) if words in line)


@pytest.mark.parametrize(
    ("old", "new", "setting", "remedy"),
    [
        # The shop
        ("Pacific/Auckland ", "Pacific/Aukland ", "time_zone", "write the shop's IANA zone, such as Pacific/Auckland"),
        ("Pacific/Auckland ", "UTC+12 ", "time_zone", "'UTC+12' is not a time zone"),
        ("2026-09-21", "21.09.2026", "start_date", "must be a day such as 2026-09-21, not '21.09.2026'"),
        ("2026-09-21", "2026-9-21", "start_date", "must be a day such as 2026-09-21"),
        ("2026-09-21", "2026-02-30", "start_date", "must be a day such as 2026-09-21"),
        ("2026-09-21", "2026-09-21T10:00", "start_date", "must be a day such as 2026-09-21"),
        ("2026-09-21", "0", "start_date", "must be a day such as 2026-09-21, not '0'"),
        ("2026-09-21", "", "start_date", "must be a day such as 2026-09-21"),
        ("prefix: SH-", "prefix: S/H", "prefix", "use up to 20 letters, digits, dots, _ and -"),
        ("prefix: SH-", "prefix: THE-SHOP-OF-AOTEAROA-", "prefix", "use up to 20 letters, digits, dots, _ and -"),
        ("prefix: SH-", "prefix: true", "prefix", "must be text"),
        # When and what
        ("post_when: paid ", "post_when: payed ", "post_when", "cannot be 'payed'; write one of 'paid' or 'placed'"),
        ("post_when: paid ", "post_when: ", "post_when", "is empty; write one of 'paid' or 'placed'"),
        ("post_when: paid ", "post_when: [paid] ", "post_when", "write one of 'paid' or 'placed'"),
        ("opening: block", "opening: skip", "opening", "write one of 'block' or 'post'"),
        ("zero_value: skip", "zero_value: no", "zero_value", "cannot be 'no'; write one of 'skip' or 'post'"),
        ("locked_period: block", "locked_period: move", "locked_period", "write one of 'block' or 'next_open_day'"),
        ("on_conflict: keep_xero", "on_conflict: ours", "on_conflict", "write one of 'keep_xero' or 'restore'"),
        ("uncovered: block", "uncovered: post", "refund.uncovered", "write one of 'block' or 'adjust'"),
        ("uncovered: block", "covered: block", "refund.covered", "is not a setting; did you mean uncovered?"),
        ("cap: 0.05", "cap: 0,05", "rounding.cap", "must be a number such as 0.05, not '0,05'"),
        ("cap: 0.05", "cap: 5", "rounding.cap", "cannot be 5; it should be less than or equal to 1"),
        ("cap: 0.05", "cap: -0.01", "rounding.cap", "it should be greater than or equal to 0"),
        ("cap: 0.05", "cap: nan", "rounding.cap", "must be a number such as 0.05, not 'nan'"),
        # Whom
        ("mode: per_customer", "mode: each", "contacts.mode", "write one of 'per_customer' or 'single'"),
        ("adopt_by_email: true", "adopt_by_email: yes", "contacts.adopt_by_email", "must be true or false, not 'yes'"),
        ("guest_name: Shopify guest", "guest_name: ''", "contacts.guest_name", "must not be empty"),
        (
            "guest_name: Shopify guest",
            f"guest_name: {'x' * 201}",
            "contacts.guest_name",
            "is too long; write at most 200 characters",
        ),
        # Accounts
        ('sales: "200"', "sales: ", "accounts.sales", "must be text"),
        ('sales: "200"', 'sales: "20000000000"', "accounts.sales", "is too long; write at most 10 characters"),
        ('shipping: "205"', 'shiping: "205"', "accounts.shiping", "is not a setting; did you mean shipping?"),
        ("overrides: [] ", "overrides: {} ", "accounts.overrides", "must be a list (lines that start with '- ')"),
        ("overrides: [] ", "overrides: [Books] ", "accounts.overrides[0]", "must be a group of settings"),
        (
            "overrides: [] ",
            "overrides: [{account: '201'}] ",
            "accounts.overrides[0]",
            "this override matches nothing: give product_type, vendor, tag or sku",
        ),
        (
            "overrides: [] ",
            "overrides: [{sku: A}] ",
            "accounts.overrides[0].account",
            "is missing; add it",
        ),
        (
            "overrides: [] ",
            "overrides: [{type: Books, account: '201'}] ",
            "accounts.overrides[0].type",
            "is not a setting; valid settings: account, product_type, sku, tag, vendor",
        ),
        # Gateways
        ('cash: "603"', "cash: ", "payments.cash", "must be text"),
        # Tax
        ("mode: rates", "mode: us", "tax.mode", "write one of 'rates' or 'lines'"),
        ("  none: NONE", "  none: ''", "tax.none", "must not be empty"),
        (
            "untaxed_by_country: {}",
            "untaxed_by_country: {au: ZERORATED}",
            "tax.untaxed_by_country.au",
            "must be a two-letter country code such as NZ, not 'au'",
        ),
        ("title: GST, rate: 0.15", "title: GST, rate: 15", "tax.rates[0].rate", "(15 % is written 0.15)"),
        ("title: GST, rate: 0.15", "title: GST, rate: 15%", "tax.rates[0].rate", "must be a number such as 0.05"),
        ("title: GST, rate: 0.15", "title: GST, rate: -0.15", "tax.rates[0].rate", "greater than or equal to 0"),
        ("title: GST, rate: 0.15", "title: '', rate: 0.15", "tax.rates[0].title", "must not be empty"),
        ("title: GST, rate: 0.15", "name: GST, rate: 0.15", "tax.rates[0].name", "is not a setting"),
        (
            "title: GST, rate: 0.15",
            "title: GST, country: New Zealand",
            "tax.rates[0].country",
            "must be a two-letter country code such as NZ",
        ),
        (
            "title: GST, rate: 0.15",
            "combination: [{title: GST}]",
            "tax.rates[0]",
            "or a combination of two or more taxes",
        ),
        (
            "title: GST, rate: 0.15",
            "title: GST, combination: [{title: A}, {title: B}]",
            "tax.rates[0]",
            "give either title and/or rate",
        ),
        ("  lines: [] ", "  lines: [{title: State}] ", "tax.lines[0].account", "is missing; add it"),
        ("  lines: [] ", "  lines: [{account: '821'}] ", "tax.lines[0]", "give the tax's title, its rate"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_setting_and_remedy(
    old: str, new: str, setting: str, remedy: str
) -> None:
    (message,) = complaint(changed(old, new)).splitlines()
    assert message.startswith(f"books.yaml line {line_of(old)}: {setting} ")
    assert remedy in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("post_when: paid\npost-when: placed", "line 2: post-when is not a setting; did you mean post_when?"),
        ("colour: blue", "line 1: colour is not a setting; valid settings: accounts, contacts, locked_period,"),
        ("accounts: 200", "line 1: accounts must be a group of settings (indented lines of 'name: value'), not '200'"),
        ("accounts: [sales]", "line 1: accounts must be a group of settings"),
        ("refund: adjust", "line 1: refund must be a group of settings"),
        ("payments: cash", "line 1: payments must be a group of settings"),
        ("tax:\n  rates:\n    title: GST", "line 2: tax.rates must be a list (lines that start with '- ')"),
        ("tax:\n  rates:\n    - title: GST\n      rate: 0.15", "line 3: tax.rates[0].tax_type is missing; add it"),
        ("accounts:\n  sales: 200\n  sales: 201", "line 3: accounts.sales appears twice; keep one"),
        ("accounts:\n sales: 200\n  tips: 209", "line 3: this is not YAML"),
        ("\tprefix: A", "line 1: this is not YAML"),
        ("prefix: 'A", "line 1: this is not YAML"),
        ("prefix: A\n---\nprefix: B", "line 2: this is not YAML"),
        ("prefix: *name", "line 1: references (*name) are not supported; write the value out"),
        ("just words", "line 1: expected settings as 'name: value' lines"),
        ("42", "line 1: expected settings as 'name: value' lines"),
        ("? [a, b]\n: c", "line 1: ? is not a setting"),
        ("refund: !!python/object/apply:os.system [ls]", "line 1: refund must be a group of settings"),
        ("\npayments: {paypal: 1, PayPal: 2}", "line 2: payments cannot be used: paypal appears twice, with different"),
        ("payments: {'': 1}", "line 1: payments cannot be used: an entry has no name; write the gateway before the"),
        ("payments: {gift_card: 831}", "use one account for both, so that the liability can return to zero"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_with_its_line_and_remedy(text: str, message: str) -> None:
    found = complaint(text)
    assert found.startswith("books.yaml line ")
    assert message in found


def test_every_mistake_of_a_file_is_told_with_its_own_line() -> None:
    wrong = REPOSITORYS.replace("post_when: paid ", "post_when: later ").replace("cap: 0.05", "cap: lots")
    found = {line.split(": ")[0] for line in complaint(wrong.replace("mode: rates", "mode: us")).splitlines()}
    assert found == {f"books.yaml line {line_of(words)}" for words in ("post_when: paid ", "cap: 0.05", "mode: rates")}
