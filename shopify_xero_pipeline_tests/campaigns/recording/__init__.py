"""The recorded results of five generated days, a safety net for refactoring."""
