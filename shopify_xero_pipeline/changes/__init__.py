"""The planner, which compares the desired state with the mapping and Xero and returns change-sets. No I/O, no clock."""
