# ruff: noqa: E501 -- a table stays in rows
"""What a request can do to a Kubernetes cluster, and how much of it is danger.

Sources: MITRE ATT&CK, containers matrix; Microsoft, *Threat matrix for Kubernetes*; Kubernetes, *Role Based Access
Control Good Practices* (privilege escalation risks) and *Pod Security Standards* (baseline). A line is
`verb resource fact`; a request has a line without a fact, and one for each fact that it or its object states.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from features.addresses import is_internal, mapped
from features.commands import COMMANDS
from features.dangers import Danger, met
from features.windows import KEY

_WRITE = r"^(?:create|update|patch) "
_READ = r"^(?:get|list|watch) "
_PODS = r"(?:pods|deployments|daemonsets|statefulsets|replicasets|replicationcontrollers|jobs|cronjobs)(?:/ephemeralcontainers)? "

REQUESTS: Sequence[Danger] = (
    # RBAC good practices: paths from one right to all rights
    Danger(8, "T1098.006", "binds to a role with every right", _WRITE + r"(?:cluster)?rolebindings RoleRef=(?:cluster-admin|admin|edit|system:masters|system:(?:kube-controller-manager|node|aggregate-to-admin)\b.*)$"),
    Danger(8, "T1098.006", "gives rights to everyone", _WRITE + r"(?:cluster)?rolebindings Subject=system:(?:anonymous|unauthenticated|authenticated)$"),
    Danger(8, "T1098.006", "grants rights with a wildcard", _WRITE + r"(?:cluster)?roles Rule=.*\*"),
    Danger(8, "T1098.006", "grants rights over rights", _WRITE + r"(?:cluster)?roles Rule=(?:(?:escalate|bind|impersonate) |(?:create|update|patch) (?:cluster)?role)"),
    Danger(6, "T1552.007", "grants reading of secrets", _WRITE + r"(?:cluster)?roles Rule=(?:get|list|watch) secrets"),
    Danger(6, "T1609", "grants commands in pods, tokens or nodes", _WRITE + r"(?:cluster)?roles Rule=\w+ (?:pods/(?:exec|attach|portforward|ephemeralcontainers)|serviceaccounts/token|nodes/proxy|certificatesigningrequests/approval)"),
    Danger(4, "T1098.006", "grants changes to workloads or data", _WRITE + r"(?:cluster)?roles Rule=(?:create|update|patch|delete|deletecollection) "),
    Danger(4, "T1098.006", "makes a binding for the whole cluster", _WRITE + r"clusterrolebindings $"),
    Danger(8, "T1098", "takes a client certificate", r"^create certificatesigningrequests Signer=kubernetes\.io/kube-apiserver-client$"),
    Danger(8, "T1098", "signs a certificate", r"^(?:update|patch) certificatesigningrequests/approval $"),
    Danger(6, "T1528", "takes an account's token", r"^create serviceaccounts/token $"),
    Danger(6, "T1552.007", "reads a secret", r"^get secrets $"),
    Danger(8, "T1552.007", "reads all secrets of a namespace", r"^(?:list|watch) secrets Scope=namespace$"),
    Danger(8, "T1552.007", "reads the secrets of every namespace", r"^(?:list|watch) secrets Scope=cluster$"),
    Danger(8, "T1134", "acts as another", r" Impersonated=.+"),
    # execution: ATT&CK T1609, T1610, T1053.007
    Danger(6, "T1609", "opens a session in a container", r"^(?:create|get) pods/(?:exec|attach|portforward) $"),
    Danger(6, "T1609", "adds a debug container", r"^(?:update|patch) pods/ephemeralcontainers $"),
    Danger(8, "T1611", "speaks through a node", r"^\w+ nodes/proxy "),
    Danger(8, "T1611", "asks for a container that reaches the host", _WRITE + _PODS + r"(?:Privileged=true|(?:Pid|Ipc|Network)Mode=host|Bind=/|Device=|CapAdd=(?:ALL|SYS_\w+|NET_ADMIN|NET_RAW|BPF|DAC_READ_SEARCH|PERFMON)$)"),
    Danger(4, "T1610", "asks for a container that may gain rights", _WRITE + _PODS + r"(?:AllowPrivilegeEscalation=true|RunAsNonRoot=false|User=0|SecurityOpt=.*(?:unconfined|disable)|MaskedPaths=none)$"),
    Danger(8, "T1496", "asks for a miner or an attacker's tool", _WRITE + _PODS + r"(?:Image|Cmd|Entrypoint)=.*(?:xmrig|miner\b|peirates|kube-hunter|botb)"),
    Danger(3, "T1053.007", "makes a scheduled job", _WRITE + r"cronjobs $"),
    Danger(4, "T1543.005", "makes a container on every node", r"^create daemonsets $"),
    Danger(3, "T1610", "makes a pod by hand", r"^create pods $"),
    Danger(6, "T1036.005", "puts a workload among the system's", _WRITE + _PODS + r"Namespace=(?:kube-\w[\w-]*|gke-system|gatekeeper-system|aks-\w+|calico-system)$"),
    Danger(3, "T1190", "opens a port of the nodes", _WRITE + r"services (?:ServiceType=NodePort|ExternalIP=.+)$"),
    # persistence and evasion: Microsoft's matrix
    Danger(8, "T1546", "changes who judges requests", _WRITE + r"(?:mutatingwebhook|validatingwebhook|validatingadmissionpolic)\w* $|^delete\w* (?:mutatingwebhook|validatingwebhook|validatingadmissionpolic)"),
    Danger(5, "T1070", "removes events", r"^delete\w* events "),
    Danger(6, "T1485", "removes many at once", r"^deletecollection (?:pods|deployments|daemonsets|statefulsets|namespaces|secrets|configmaps|persistentvolumeclaims|networkpolicies) $|^delete namespaces $"),
    Danger(5, "T1562.007", "takes down a network policy", r"^delete networkpolicies $"),
    Danger(6, "T1557", "changes name resolution or accounts of nodes", r"^(?:update|patch) configmaps Name=(?:coredns|aws-auth|kube-proxy)$"),
    Danger(4, "T1136", "makes an account", r"^create serviceaccounts $"),
    Danger(2, "T1613", "asks for its own rights", r"^create self(?:subjectrules|subjectaccess)reviews $"),
    # who asks, and from where: Microsoft's matrix (exposed interface), ATT&CK T1078 and T1550.001
    Danger(6, "T1190", "asks without a name", r" Actor=anonymous$"),
    Danger(6, "T1550.001", "a pod's account speaks from outside", r" Actor=account outside$"),
    Danger(3, "T1550.001", "a pod's account speaks with a person's tool", r" Actor=account with tool$"),
    Danger(2, "T1133", "asks from the open internet", r" Source=outside$"),
    Danger(5, "T1613", "asks with an attacker's tool", r" Agent=(?:kube-?hunter|peirates|masscan|zgrab|nmap|nuclei|cdk|kubeletctl|trufflehog)$"),
)  # fmt: skip

PART = 0.25  # of a danger that counts: what was refused did not come to pass, what the control plane does is its work
_CONTROL_PLANE = (
    r"^k8s-actor:(?:system:(?:node:|kube-|apiserver|serviceaccount:kube-system:|gke-)|eks:|aks|container-engine-robot@)"
)
_NAMELESS = "k8s-actor:system:anonymous"
_ACCOUNT = "k8s-actor:system:serviceaccount:"
_TOOL = r"^(?:kubectl|curl|wget|python-requests|httpie)$"
# what anyone may ask: ClusterRole system:public-info-viewer
_PUBLIC = r"^/(?:healthz|livez|readyz|version|openapi|\.well-known)"
_REFUSED = 400

# what the dangers of a request hang on
REQUEST_COLUMNS = (
    "action", "resource", "command", "namespace", "name", "uri", "src_ip", "user_agent", "actor", "status", "rule",
    "config",
)  # fmt: skip
RequestKey = tuple[str | int | tuple[str | None, ...] | None, ...]


def request_key(request: Mapping[str, Any]) -> RequestKey:
    """Give the values of `REQUEST_COLUMNS`, alike for requests whose dangers are: what plays no part is left out."""
    told = {column: request.get(column) for column in REQUEST_COLUMNS}
    if told["name"] is not None and told["resource"] != "configmaps":
        told["name"] = ""
    if told["actor"] != _NAMELESS:
        told["uri"] = None
    if told["rule"] != "forbid":
        told["rule"] = None
    if told["status"] is not None:
        told["status"] = _REFUSED if told["status"] >= _REFUSED else 0
    if told["config"] is not None:
        told["config"] = tuple(told["config"])
    return tuple(told.values())


def dangers_of(requests: pl.DataFrame) -> pl.DataFrame:
    """Find the dangers of requests.

    Parameters
    ----------
    requests
        Events of kind `audit` with `workload` and `window_start`.

    Returns
    -------
    `workload, window_start, danger, points`: each danger of a window once, at its most.
    """
    told = _placed(requests)
    line = pl.concat_str(pl.col("action", "resource", "fact").fill_null(""), separator=" ")
    lines = told.explode("fact", empty_as_null=True).with_columns(line.alias("line"))
    asked = lines.join(met(lines["line"], REQUESTS), on="line")
    ran = told.drop("fact").join(met(told["command"], COMMANDS), on="command")
    found = pl.concat([part.select(*KEY, "danger", pl.col("points") * pl.col("part")) for part in (asked, ran)])
    return found.group_by(*KEY, "danger").agg(pl.col("points").max()).sort(*KEY, "danger")


def _placed(requests: pl.DataFrame) -> pl.DataFrame:
    """Add `fact`, what each request states of itself and its object, and `part`, how much of its danger counts."""
    inside = mapped(requests["src_ip"], "inside", is_internal, pl.Boolean())
    outside = ~pl.col("inside").fill_null(value=True)
    stated = pl.concat_list(pl.concat_list(_facts(outside)), pl.col("config").fill_null([])).list.drop_nulls()
    part = pl.when(_tame(outside)).then(PART).otherwise(1.0)
    return requests.join(inside, on="src_ip", how="left").select(
        *KEY, "action", "resource", "command", stated.alias("fact"), part.alias("part")
    )


def _facts(outside: pl.Expr) -> list[pl.Expr]:
    agent = pl.col("user_agent").str.extract(r"^([^/ ]+)").str.to_lowercase()
    account = pl.col("actor").str.starts_with(_ACCOUNT)
    scope = pl.when(pl.col("namespace").is_null()).then(pl.lit("cluster")).otherwise(pl.lit("namespace"))
    public = pl.col("uri").fill_null("").str.contains(_PUBLIC)
    return [
        pl.lit(""),
        "Namespace=" + pl.col("namespace"),
        pl.when(pl.col("resource") == "configmaps").then("Name=" + pl.col("name")),
        pl.when(pl.col("name").is_null()).then("Scope=" + scope),
        pl.when(outside).then(pl.lit("Source=outside")),
        "Agent=" + agent,
        pl.when(account & outside).then(pl.lit("Actor=account outside")),
        pl.when(account & agent.str.contains(_TOOL)).then(pl.lit("Actor=account with tool")),
        pl.when((pl.col("actor") == _NAMELESS) & ~public).then(pl.lit("Actor=anonymous")),
    ]


def _tame(outside: pl.Expr) -> pl.Expr:
    """Say what was a refused change, or the control plane's work: an application is not refused its own secrets."""
    refused = (pl.col("status") >= _REFUSED) | (pl.col("rule") == "forbid").fill_null(value=False)
    reads = pl.col("action").is_in(["get", "list", "watch"])
    at_work = pl.col("actor").str.contains(_CONTROL_PLANE) & ~outside
    return ((refused & ~reads) | at_work).fill_null(value=False)
