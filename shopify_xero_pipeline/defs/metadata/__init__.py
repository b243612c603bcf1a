"""What the Dagster UI displays of a run as metadata: tables, diffs, statements. No figure is computed here."""
