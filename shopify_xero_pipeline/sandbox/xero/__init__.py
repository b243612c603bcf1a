"""A local Xero Accounting API with the strictness of docs/contracts/xero.md, rules B1 to B28.

`app.xero_app` is the API, `books.XeroBooks` the organisation behind it, `human_edits.Person` a person in Xero's own
screens. Where that page leaves a question open, the sandbox decides:

- Half a cent rounds up (an option rounds half to even). A batch is answered in order (an option shuffles it).
- A 429 uses up no limit. Numbers of voided and deleted documents stay in use.
- POST of a Contact matches ContactID, then ContactNumber, then Name.
- Accounts and tax types of drafts are unchecked. A document with a zero total is PAID at once.
- A page after the last one is empty. A payment moves its document's UpdatedDateUTC.
- PUT of an Allocation returns its AllocationID. An option refuses unknown query parameters of a list.
- So are the texts of messages that docs/contracts/xero_messages.md §7 lacks.
"""
