"""Use cases of the sync service, shared by Dagster, the HTTP service and the command line; free of Dagster."""
