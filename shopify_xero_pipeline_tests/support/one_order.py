"""Records of one order, #1001 of Ann Lee: an Invoice of 100.00 for a tee, its Payment, and a Credit Note of 30.00."""

from typing import Any

from shopify_xero_pipeline.xero.models import Contact, CreditNote, Invoice, Item, Payment
from shopify_xero_pipeline_tests.support import records


def contact(number: str = "7", name: str = "Ann Lee", **more: Any) -> Contact:
    return records.contact(number, **{"name": name, "email": None, **more})


def item(number: str = "5", code: str = "TEE-S", **more: Any) -> Item:
    return records.item(number, **{"code": code, "name": "Tee", "unit_price": None, **more})


def invoice(agreement: str = "11", total: str = "100.00", number: str = "SH-1001") -> Invoice:
    return records.invoice(1001, total, number=number, **_of_order(agreement, total))


def credit_note(agreement: str = "12", total: str = "30.00", number: str = "SH-1001-R12") -> CreditNote:
    return records.credit_note(1001, total, number=number, **_of_order(agreement, total))


def payment(transaction: str = "21", amount: str = "100.00", document: Invoice | CreditNote | None = None) -> Payment:
    return records.payment(document or invoice(), amount, transaction)


def _of_order(agreement: str, total: str) -> dict[str, Any]:
    return {
        "shopify_id": f"1/{agreement}",
        "reference": f"#1001 shopify:1/{agreement}",
        "order_id": "1",
        "contact_id": "7",
        "lines": (records.line(total, variant_id="5"),),
    }
