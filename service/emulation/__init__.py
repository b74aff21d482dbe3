"""Emulated adversaries: a library of scenarios, a simulated estate and a live range that play them.

`scenarios/` holds one declarative file per scenario. `steps` is the vocabulary they are written in. `scenario` reads
them and fits their parameters to a variant. `estate` plays steps into simulated telemetry, `live` on a Docker host.
`splits` keeps what is tuned on apart from what is reported. Nothing that serves imports this package.
"""
