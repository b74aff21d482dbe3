"""Everything with a side effect: storage, jobs, HTTP, command line."""

from service.origin import check_origins

check_origins()
