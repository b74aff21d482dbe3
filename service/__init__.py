"""Everything with a side effect: storage, jobs, HTTP, command line."""
