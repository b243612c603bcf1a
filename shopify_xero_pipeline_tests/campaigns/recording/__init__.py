"""What the pipeline makes of five generated days, recorded: the safety net of changes that must not change anything."""
