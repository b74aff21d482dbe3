"""Telemetry to evidence: sources, identity, windows, features, baselines."""
