from decimal import Decimal

from shopify_xero_pipeline.changes.compare import plan_record
from shopify_xero_pipeline.changes.models import Action
from shopify_xero_pipeline.xero.models import Kind
from shopify_xero_pipeline_tests.support.one_order import contact, credit_note, invoice, item, payment
from shopify_xero_pipeline_tests.support.rows import mapped, shown, shown_record


def test_a_record_nobody_knows_is_created_and_every_field_of_it_is_shown() -> None:
    line = plan_record(contact(email="ann@example.com"), None, None)
    assert line.action is Action.CREATE
    assert [(field.field, field.before, field.after) for field in line.fields] == [
        ("contact_number", None, "shopify:7"),
        ("name", None, "Ann Lee"),
        ("email", None, "ann@example.com"),
    ]


def test_a_planned_document_carries_its_order_amount_and_currency() -> None:
    line = plan_record(invoice(), None, None)
    assert (line.order_id, line.order_name, line.amount, line.currency) == ("1", "#1001", Decimal("100.00"), "NZD")


def test_a_record_posted_with_the_same_content_is_unchanged() -> None:
    line = plan_record(invoice(), mapped(invoice()), shown_record(invoice()))
    assert (line.action, line.fields, line.xero_id) == (Action.UNCHANGED, (), "x-1")


def test_another_item_code_on_a_line_is_no_change_of_the_document() -> None:
    posted = mapped(invoice())
    other = invoice().model_copy(update={"lines": (invoice().lines[0].model_copy(update={"variant_id": None}),)})
    assert plan_record(other, posted, None).action is Action.UNCHANGED


def test_a_customer_who_changed_the_telephone_number_is_an_update_that_names_the_field() -> None:
    line = plan_record(contact(phone="222"), mapped(contact(phone="111")), None)
    assert line.action is Action.UPDATE
    assert [(field.field, field.before, field.after) for field in line.fields] == [("phone", "111", "222")]
    assert line.reason == "changed in Shopify: phone"


def test_blanks_never_overwrite_what_was_posted() -> None:
    assert plan_record(contact(), mapped(contact(email="ann@example.com")), None).action is Action.UNCHANGED


def test_a_contact_a_person_renamed_in_xero_is_a_conflict_and_kept() -> None:
    theirs = shown(Kind.CONTACT, key="shopify:7", status="ACTIVE", Name="Ann Lee-Smith")
    line = plan_record(contact(phone="222"), mapped(contact(phone="111")), theirs)
    assert line.action is Action.CONFLICT
    assert line.reason == "a person changed name in Xero; Xero's values stay"
    assert [(field.field, field.before, field.after) for field in line.fields] == [("name", "Ann Lee-Smith", "Ann Lee")]


def test_a_contact_a_person_renamed_is_listed_although_shopify_did_not_change() -> None:
    theirs = shown(Kind.CONTACT, key="shopify:7", status="ACTIVE", Name="Ann Lee-Smith")
    assert plan_record(contact(), mapped(contact()), theirs).action is Action.CONFLICT


def test_where_the_policy_says_so_a_persons_change_of_a_contact_is_undone() -> None:
    theirs = shown(Kind.CONTACT, key="shopify:7", status="ACTIVE", Name="Ann Lee", EmailAddress="old@example.com")
    line = plan_record(contact(email="a@example.com"), mapped(contact(email="a@example.com")), theirs, restore=True)
    assert line.action is Action.UPDATE
    assert line.reason == "a person changed email in Xero; it is restored"


def test_an_update_goes_ahead_where_xero_still_shows_what_we_posted() -> None:
    theirs = shown(Kind.ITEM, key="TEE-S", status="ACTIVE", Name="Tee")
    line = plan_record(item(description="Soft"), mapped(item()), theirs)
    assert line.action is Action.UPDATE


def test_a_posted_document_that_would_have_another_total_is_a_conflict_and_never_rewritten() -> None:
    line = plan_record(invoice(total="90.00"), mapped(invoice()), None)
    assert line.action is Action.CONFLICT
    assert ("total", "100.00", "90.00") in [(field.field, field.before, field.after) for field in line.fields]


def test_a_posted_document_that_would_only_be_coded_differently_stays_as_posted() -> None:
    recoded = invoice().model_copy(update={"lines": (invoice().lines[0].model_copy(update={"account_code": "205"}),)})
    line = plan_record(recoded, mapped(invoice()), None)
    assert line.action is Action.UNCHANGED
    assert line.reason == "stays as posted; a text or a code would be different today"


def test_a_document_a_person_voided_is_reported_and_not_created_again() -> None:
    line = plan_record(invoice(), mapped(invoice()), shown_record(invoice(), status="VOIDED"))
    assert line.action is Action.CONFLICT
    assert "voided" in line.reason


def test_a_document_already_in_xero_under_our_number_reference_and_total_is_adopted() -> None:
    line = plan_record(invoice(), None, shown_record(invoice(), "x-9"))
    assert (line.action, line.xero_id) == (Action.ADOPT, "x-9")


def test_a_document_of_somebody_else_under_our_number_is_a_conflict() -> None:
    theirs = shown(Kind.INVOICE, key="SH-1001", reference="May rent", Total=Decimal("100.00"))
    line = plan_record(invoice(), None, theirs)
    assert line.action is Action.CONFLICT
    assert line.reason == "the number SH-1001 belongs to another document in Xero (reference May rent)"


def test_our_own_document_with_another_total_in_xero_is_a_conflict_with_both_amounts() -> None:
    theirs = shown(Kind.CREDIT_NOTE, key="SH-1001-R12", reference=credit_note().reference, Total=Decimal("31.00"))
    line = plan_record(credit_note(), None, theirs)
    assert line.action is Action.CONFLICT
    assert line.reason == "Xero has SH-1001-R12 with 31.00 where Shopify has 30.00"


def test_a_document_of_ours_that_was_voided_before_we_mapped_it_is_not_created_again() -> None:
    assert plan_record(invoice(), None, shown_record(invoice(), status="VOIDED")).action is Action.CONFLICT


def test_a_payment_already_on_the_document_is_adopted() -> None:
    assert plan_record(payment(), None, shown_record(payment(), "p-1")).action is Action.ADOPT


def test_an_item_under_the_same_code_is_adopted_unless_it_is_tracked_or_not_sold() -> None:
    plain = shown(Kind.ITEM, key="TEE-S", status="ACTIVE", Name="Tee", IsSold=True, IsTrackedAsInventory=False)
    tracked = shown(Kind.ITEM, key="TEE-S", status="ACTIVE", Name="Tee", IsSold=True, IsTrackedAsInventory=True)
    bought = shown(Kind.ITEM, key="TEE-S", status="ACTIVE", Name="Tee", IsSold=False)
    assert [plan_record(item(), None, found).action for found in (plain, tracked, bought)] == [
        Action.ADOPT,
        Action.SKIPPED,
        Action.SKIPPED,
    ]
