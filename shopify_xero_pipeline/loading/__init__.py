"""Carrying a change-set out in Xero exactly once: journalled batches, outcomes, read-back, safe mode. Plans nothing."""
