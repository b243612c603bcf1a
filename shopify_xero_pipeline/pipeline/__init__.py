"""The use cases that Dagster, the service and the command line share: sync, retry, rebuild, redact. Free of Dagster."""
