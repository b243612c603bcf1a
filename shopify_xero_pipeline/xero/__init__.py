"""Writing to Xero: client, limits, sign-in, models, and the loader of change-sets. Decides no accounting."""
