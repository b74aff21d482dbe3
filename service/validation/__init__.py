"""Measures what is caught, what is missed and at what noise, and says so in a report.

`judge` counts alerts as an analyst does. Nothing that serves imports this package.
"""
