"""Forests over evidence, their calibration, and what a score is made of."""
