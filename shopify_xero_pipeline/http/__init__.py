"""HTTP as every room sends it: one limit of time for a whole exchange, and limits of size for its answer."""
