"""Long campaigns, each a command, and the short runs of them that `make test` does."""
