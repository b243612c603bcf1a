"""The simulator of the write protocol: the real loader, store and client before the sandbox's Xero, in trouble."""
