"""Pure comparison: what must exist, what we did and what Xero holds become a change-set. No I/O, no clock."""
