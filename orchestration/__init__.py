"""Dagster wiring and the command line; nothing of the domain."""
