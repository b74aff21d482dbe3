# ruff: noqa: E501 -- tables and wire forms stay in rows
"""A made-up container estate whose telemetry is written in the sources' own forms, with its ground truth.

Run `python -m service.emulation.estate --out DIR [--days 9] [--learn-days 7] [--workloads 84] [--flows 1000000] [--seed 1]
[--split development] [--variants high dampened] [--every-variant] [--scenarios N01 ...]`.
The same options give the same bytes. `DIR/learn` and `DIR/watch` hold what a collector would have written:

- `events-HOST.ndjson`: Docker Engine events (API 1.41) with a `host` key; `inspect.ndjson`: a snapshot on create, which
  has no address yet, and one after start. Containers that ran before the first day appear by a snapshot alone.
- `conn|dns|ssl|http.DATE.log`: Zeek, one file a day; JSON, on every third day TSV with its header, some days gzip.
- `registry.ndjson`: notification envelopes of the own registry; `k8s-audit.ndjson`: audit.k8s.io/v1 of one namespace.

`DIR/labels.json` lists the attacks (only in `watch`) and the benign acts that look like attacks (in both);
`service.validation` reads scores against it.

How it works: everything that happens is an act in one queue ordered by time (`world`). Acts go through an `engine` per
host or the Kubernetes `kube.Cluster`, which lease addresses and write events, and through the `wire`, which writes
flows. Steady traffic (`traffic`, `routine`) is drawn a day or a part of one at a time from who was up when; the `sink`
sorts and writes what is over, and forgets it. `topology` and `edges` say what exists, `releases`, `changes`, `jobs` and
`kube_life` what healthy people and robots do, `oddities` what else resembles attacks in a large estate, `campaign`
which scenarios of the library are played, when and how loud; `play` and `chains` play one, with a `cast` and the acts of
`acts_*`. `vocabulary` and `layouts` give an estate the names and the shape of its split.

Left out: replies of services that are down (a client simply sends nothing), image layers and histories, IPv6,
packet loss, clock skew between hosts, ARP, connections of the API server, and sensor gaps. All values are synthetic;
outside addresses are from documentation and benchmarking ranges, names end in `.example`.
"""
