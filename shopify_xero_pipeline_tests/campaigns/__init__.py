"""Long campaigns, each with a command, and their short versions for `make test`."""
