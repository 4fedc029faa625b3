"""Headless processes: how they start, report, stop and exit."""
