"""A local Xero Accounting API: as strict as the Xero fact sheet's section B, whose rules are cited as B1 to B27.

`app.xero_app` is the API, `books.XeroBooks` the organisation behind it, `people.Person` someone in Xero's own screens.
The fact sheet leaves open, and the sandbox chose: half a cent goes up (an option flips it); a batch is answered in
order (an option shuffles it); 429s use up nothing; voided and deleted numbers stay taken; POST of a contact matches
ContactID, ContactNumber, Name; drafts have their accounts and tax types unchecked; a zero total is PAID at once; a page
past the end is empty; a payment moves its document's UpdatedDateUTC; the PUT of an allocation answers its AllocationID;
unknown query parameters of a list are refused; and the words of messages that the fact sheet's section 7 lacks.
"""
