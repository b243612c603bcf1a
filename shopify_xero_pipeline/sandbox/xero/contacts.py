"""Contacts: matching of a POST, validation, and the form of the response.

Source: docs/contracts/xero.md §6.1, B14.
"""

import re
from typing import Any

from msgspec.structs import replace

from shopify_xero_pipeline.sandbox.xero.answers import ZERO_GUID, Rejected, not_found
from shopify_xero_pipeline.sandbox.xero.api_context import ApiContext
from shopify_xero_pipeline.sandbox.xero.batch import SavedRecord, Shape
from shopify_xero_pipeline.sandbox.xero.records import Contact
from shopify_xero_pipeline.sandbox.xero.wire import Json, ms_date, present, text_of

NO_IDENTITY = (
    "The Contact must contain at least 1 of the following elements to identify the contact: "
    "Name, ContactID, ContactNumber"
)
ARCHIVED = (
    "The specified contact details matched an archived contact. "
    "Archived contacts cannot currently be edited via the API."
)
ARCHIVED_FOR_DOCUMENT = (
    "The contact with the specified contact details has been archived. "
    "The contact must be un-archived before creating new invoices or credit notes."
)
# Maximum lengths of fields in characters.
_TEXTS = {
    "FirstName": 255,
    "LastName": 255,
    "EmailAddress": 255,
    "CompanyNumber": 50,
    "TaxNumber": 50,
    "BankAccountDetails": 255,
    "AccountsReceivableTaxType": 50,
    "AccountsPayableTaxType": 50,
    "DefaultCurrency": 3,
}
_ADDRESS = {
    "AddressLine1": 500,
    "AddressLine2": 500,
    "AddressLine3": 500,
    "AddressLine4": 500,
    "City": 255,
    "Region": 255,
    "PostalCode": 50,
    "Country": 50,
    "AttentionTo": 255,
}
_PHONE = {"PhoneNumber": 50, "PhoneAreaCode": 10, "PhoneCountryCode": 20}
_ADDRESS_TYPES = ("STREET", "POBOX")
_PHONE_TYPES = ("DEFAULT", "DDI", "FAX", "MOBILE")
_EMAIL = re.compile(r"[!-?A-~]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_COUNTRY = re.compile(r"[A-Za-z ]*")
_ON_PAGES_ONLY = {"ContactPersons", "DefaultCurrency", "SalesTrackingCategories", "PurchasesTrackingCategories"}
_EMPTY_LISTS = ("Addresses", "Phones", "ContactGroups", "ContactPersons")


def _echo(sent: Json) -> Json:
    phones = [{**phone, "ValidationErrors": []} for phone in sent.get("Phones") or ()]
    return {name: [] for name in _EMPTY_LISTS} | sent | {"Phones": phones}


SHAPE = Shape(
    collection="Contacts",
    noun="Contact",
    id_field="ContactID",
    flag="HasValidationErrors",
    known=frozenset(
        {"ContactID", "ContactNumber", "AccountNumber", "Name", "ContactStatus", "IsCustomer", "IsSupplier"}
        | {"Addresses", "AddressType", "Phones", "PhoneType", "ContactPersons", "IncludeInEmails"}
        | {*_TEXTS, *_ADDRESS, *_PHONE}
    ),
    echo=_echo,
)


class Contacts:
    """The rules of contacts in the organisation's books."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._books = context.books

    def check_ids(self, elements: list[Json]) -> None:
        """Check that each ContactID exists.

        Raises:
            Refused: 404 for the whole request if a ContactID does not exist.
        """
        for element in elements:
            if element.get("ContactID") and self._by_id(element) is None:
                raise not_found()

    def create(self, sent: Json) -> SavedRecord:
        """Create a contact (PUT).

        Raises:
            Rejected: the contact is invalid.
        """
        if not sent.get("Name"):
            raise Rejected(NO_IDENTITY)
        if (sent.get("ContactStatus") or "ACTIVE") != "ACTIVE":
            raise Rejected(f"The status '{sent['ContactStatus']}' is not valid for contacts.")
        return SavedRecord(show(self.save(sent, None)))

    def upsert(self, sent: Json) -> SavedRecord:
        """Update the contact that matches by ContactID, ContactNumber or Name, or create one (POST).

        Raises:
            Rejected: the contact is invalid.
        """
        if not any(sent.get(name) for name in ("Name", "ContactID", "ContactNumber")):
            raise Rejected(NO_IDENTITY)
        known = self.find(sent)
        return self.create(sent) if known is None else SavedRecord(show(self.save(sent, known)))

    def find(self, sent: Json) -> Contact | None:
        """Return the contact that the sent fields identify, or None."""
        contact = self._by_id(sent)
        if contact is None and sent.get("ContactNumber"):
            contact = self._books.contact_numbered(str(sent["ContactNumber"]))
        if contact is None and sent.get("Name"):
            contact = self._books.contact_called(str(sent["Name"]))
        return contact

    def save(self, sent: Json, known: Contact | None) -> Contact:
        """Store a new contact, or a known one with the sent fields.

        Raises:
            Rejected: the contact is archived, or a sent field is invalid.
        """
        if known and known.status == "ARCHIVED":
            raise Rejected(ARCHIVED, record_id=known.id)
        contact = self.draft(sent, known)
        self._books.keep_contact(contact)
        return contact

    def draft(self, sent: Json, known: Contact | None) -> Contact:
        """Return the contact that `save` would store.

        Raises:
            Rejected: a sent field is invalid.
        """
        errors = [*_length_errors(sent), *self._clashes(sent, known), *_form_errors(sent, known)]
        if errors:
            raise Rejected(*errors, record_id=known.id if known else ZERO_GUID)
        now = self._context.now()
        contact = replace(known, updated=now) if known else Contact(id=self._books.new_id(), updated=now)
        _set_fields(contact, sent)
        return contact

    def _by_id(self, sent: Json) -> Contact | None:
        return self._books.contacts.get(str(sent.get("ContactID") or "").lower())

    def _clashes(self, sent: Json, known: Contact | None) -> list[str]:
        """Return errors for values that belong to another contact."""
        own = known.id if known else None
        name, number, account = (text_of(sent, each) or "" for each in ("Name", "ContactNumber", "AccountNumber"))
        clashes = []
        other = self._books.contact_called(name) if name else None
        if other and other.id != own:
            clashes.append(
                f"The contact name {name} is already assigned to another contact. "
                "The contact name must be unique across all active contacts."
            )
        other = self._books.contact_numbered(number) if number else None
        if other and other.id != own:
            clashes.append("Another contact has this contact number. Please enter a different contact number.")
        other = self._books.contact_with_account_number(account)
        if other and other.id != own:
            clashes.append("The Account Number already exists. Please enter a different Account Number.")
        return clashes


def show(contact: Contact, *, brief: bool = False, whole: bool = True) -> Json:
    """Return a contact in the form of the response, with both addresses and all four phones.

    Args:
        contact: the contact.
        brief: the form for `summaryOnly`, without addresses, persons and roles.
        whole: False for the form in a list without pages, without persons, currency and tracking.
    """
    head = present(
        {
            "ContactID": contact.id,
            "ContactNumber": contact.number,
            "AccountNumber": contact.account_number,
            "ContactStatus": contact.status,
            "Name": contact.name,
            **{name: contact.texts.get(name, "") for name in _TEXTS if name != "BankAccountDetails"},
        }
    )
    updated = {"UpdatedDateUTC": ms_date(contact.updated), "HasAttachments": False, "HasValidationErrors": False}
    if brief:
        return head | updated
    full = {
        **head,
        "BankAccountDetails": contact.texts.get("BankAccountDetails", ""),
        "Addresses": [_address(contact, kind) for kind in _ADDRESS_TYPES],
        "Phones": [_phone(contact, kind) for kind in _PHONE_TYPES],
        "ContactGroups": [],
        "IsSupplier": False,
        "IsCustomer": contact.is_customer,
        **({"MergedToContactID": contact.merged_into} if contact.merged_into else {}),
        "SalesTrackingCategories": [],
        "PurchasesTrackingCategories": [],
        "ContactPersons": contact.persons,
        **updated,
    }
    return full if whole else {name: value for name, value in full.items() if name not in _ON_PAGES_ONLY}


def _set_fields(contact: Contact, sent: Json) -> None:
    """Set the sent fields of a contact; missing fields stay, and a list of persons replaces the previous one."""
    contact.name = (text_of(sent, "Name") or contact.name).strip()
    contact.number = _text_or_default(sent, "ContactNumber", contact.number)
    contact.account_number = _text_or_default(sent, "AccountNumber", contact.account_number)
    contact.status = text_of(sent, "ContactStatus") or contact.status
    contact.texts = contact.texts | {name: str(sent[name]) for name in _TEXTS if sent.get(name) is not None}
    contact.addresses = contact.addresses | _by_type(sent.get("Addresses"), "AddressType", "POBOX", _ADDRESS)
    contact.phones = contact.phones | _by_type(sent.get("Phones"), "PhoneType", "DEFAULT", _PHONE)
    if sent.get("ContactPersons") is not None:
        contact.persons = [{"IncludeInEmails": False, **person} for person in sent["ContactPersons"]]


def _text_or_default(sent: Json, name: str, default: str) -> str:
    text = text_of(sent, name)
    return default if text is None else text


def _by_type(sent: Any, key: str, default: str, fields: dict[str, int]) -> dict[str, dict[str, str]]:
    """Return addresses or phones by their type."""
    return {
        str(entry.get(key) or default): {name: str(entry[name]) for name in fields if entry.get(name) is not None}
        for entry in sent or ()
    }


def _address(contact: Contact, kind: str) -> Json:
    address = contact.addresses.get(kind, {})
    lines = {name: address[name] for name in _ADDRESS if address.get(name)}
    return {"AddressType": kind, **lines, **{name: address.get(name, "") for name in _ALWAYS}}


_ALWAYS = ("City", "Region", "PostalCode", "Country")


def _phone(contact: Contact, kind: str) -> Json:
    phone = contact.phones.get(kind, {})
    return {"PhoneType": kind, **{name: phone.get(name, "") for name in _PHONE}}


def _length_errors(sent: Json) -> list[str]:
    """Return errors for fields that are too long; Xero's own text for them is unknown."""
    limits = {"Name": 255, "ContactNumber": 50, "AccountNumber": 50, **_TEXTS}
    nested = [(address, _ADDRESS) for address in sent.get("Addresses") or ()]
    nested += [(phone, _PHONE) for phone in sent.get("Phones") or ()]
    return [
        f"{name} must not be longer than {most} characters."
        for fields, lengths in [(sent, limits), *nested]
        for name, most in lengths.items()
        if len(str(fields.get(name) or "")) > most
    ]


def _form_errors(sent: Json, known: Contact | None) -> list[str]:
    errors = []
    name = text_of(sent, "Name") or ""
    if set(name) & {"<", ">"} or name != " ".join(name.split()):
        errors.append("Contact Name must not contain angle brackets or leading, trailing or double spaces.")
    email = text_of(sent, "EmailAddress")
    if email and not _EMAIL.fullmatch(email):
        errors.append("Email address must be valid.")
    if not all(_COUNTRY.fullmatch(str(address.get("Country") or "")) for address in sent.get("Addresses") or ()):
        errors.append("Country must consist of letters only.")
    if (sent.get("ContactStatus") or "ACTIVE") not in ("ACTIVE", "ARCHIVED"):
        errors.append(f"The status '{sent['ContactStatus']}' is not valid for contacts.")
    return errors + _person_errors(sent.get("ContactPersons") or [], email, known)


def _person_errors(persons: list[Any], email: str | None, known: Contact | None) -> list[str]:
    if persons and not (email or (known and known.texts.get("EmailAddress"))):
        return ["Additional people cannot be added when the primary person has no email address set"]
    return ["A contact can have 5 additional people at most."] if len(persons) > 5 else []


FIELDS: dict[str, Any] = {
    "ContactID": lambda contact: contact.id,
    "Name": lambda contact: contact.name,
    "ContactNumber": lambda contact: contact.number or None,
    "AccountNumber": lambda contact: contact.account_number or None,
    "ContactStatus": lambda contact: contact.status,
    "EmailAddress": lambda contact: contact.texts.get("EmailAddress"),
    "FirstName": lambda contact: contact.texts.get("FirstName"),
    "LastName": lambda contact: contact.texts.get("LastName"),
    "IsCustomer": lambda contact: contact.is_customer,
    "UpdatedDateUTC": lambda contact: contact.updated,
}
"""The fields that `where` and `order` may name."""
