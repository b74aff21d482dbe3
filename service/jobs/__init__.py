"""Work that runs for minutes, unattended: each job takes a home and reports what it did."""
