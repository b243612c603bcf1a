"""What we know we did: mapping, write journal, failed records, history and the mirror of Xero, in one database."""
