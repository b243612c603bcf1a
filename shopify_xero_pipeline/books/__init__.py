"""Pure accounting: an order's sales ledger and money become the documents and payments of Xero. No I/O, no clock."""
