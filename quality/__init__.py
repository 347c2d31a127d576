"""Contracts, verdicts, quarantine and the report: what may be learnt from, and why the rest may not."""
