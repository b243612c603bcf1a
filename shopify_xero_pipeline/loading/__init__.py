"""The exactly-once write of change-sets to Xero, by journalled batches and read-back. This room plans nothing."""
