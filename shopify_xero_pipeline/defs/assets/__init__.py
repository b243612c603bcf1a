"""One module for each step of the way: extract, change-sets, loads, reconciliation and the mapping."""
