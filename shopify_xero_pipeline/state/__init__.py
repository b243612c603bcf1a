"""State of the pipeline: mapping, write journal, failed records, history and mirror of Xero, in one database."""
