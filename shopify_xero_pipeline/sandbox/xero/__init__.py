"""A local Xero Accounting API: as strict as section B of docs/contracts/xero.md, rules B1 to B28.

`app.xero_app` is the API, `books.XeroBooks` the organisation behind it, `people.Person` someone in Xero's own screens.
That page leaves open, and the sandbox chose: half a cent goes up (an option flips it); a batch is answered in
order (an option shuffles it); 429s use up nothing; voided and deleted numbers stay taken; POST of a contact matches
ContactID, ContactNumber, Name; drafts have their accounts and tax types unchecked; a zero total is PAID at once; a page
past the end is empty; a payment moves its document's UpdatedDateUTC; the PUT of an allocation answers its AllocationID;
unknown query parameters of a list are refused; and the words of messages that docs/contracts/xero_messages.md §7 lacks.
"""
