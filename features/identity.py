"""Stable names for things whose containers come and go.

A baseline belongs to a workload, never to a container id or a pod name, so everything that an engine or a scheduler
generates (ordinals, timestamps, hashes, job numbers) is taken out of a name before it becomes an identity.
"""

import re
from collections.abc import Mapping

from features.images import familiar_repository

UNKNOWN_HOST = "local"

_SEPARATOR = re.compile(r"([-_.])")
_HASH = re.compile(r"(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,}|[0-9a-f]{12,}")
_TIMESTAMP = re.compile(r"\d{8}t?\d{0,6}z?|\d{4,}")
_ENGINE_NAME = re.compile(
    # adjectives of the Docker Engine's name generator (moby, internal/namesgenerator), then a surname
    r"(?:admiring|adoring|affectionate|agitated|amazing|angry|awesome|beautiful|blissful|bold|boring|brave|busy|charming"
    r"|clever|compassionate|competent|condescending|confident|cool|cranky|crazy|dazzling|determined|distracted|dreamy"
    r"|eager|ecstatic|elastic|elated|elegant|eloquent|epic|exciting|fervent|festive|flamboyant|focused|friendly|frosty"
    r"|funny|gallant|gifted|goofy|gracious|great|happy|hardcore|heuristic|hopeful|hungry|infallible|inspiring"
    r"|intelligent|interesting|jolly|jovial|keen|kind|laughing|loving|lucid|magical|modest|musing|mystifying|naughty"
    r"|nervous|nice|nifty|nostalgic|objective|optimistic|peaceful|pedantic|pensive|practical|priceless|quirky|quizzical"
    r"|recursing|relaxed|reverent|romantic|sad|serene|sharp|silly|sleepy|stoic|strange|stupefied|suspicious|sweet|tender"
    r"|thirsty|trusting|unruffled|upbeat|vibrant|vigilant|vigorous|wizardly|wonderful|xenodochial|youthful|zealous|zen)"
    r"_[a-z]+\d*"
)
# Kubernetes draws suffixes from an alphabet without vowels and look-alikes (k8s.io/apimachinery/pkg/util/rand)
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_DEPLOYMENT_POD = re.compile(rf"(.+)-{_SAFE}{{6,10}}-{_SAFE}{{5}}")
_CRONJOB_POD = re.compile(rf"(.+)-\d{{8,10}}-{_SAFE}{{5}}")
_STATEFUL_POD = re.compile(r"(.+)-\d{1,3}")
_GENERATED_POD = re.compile(rf"(.+)-{_SAFE}{{5}}")


def stable_name(name: str) -> str:
    """Take the generated parts out of a container name; a name with nothing else is kept whole.

    Examples
    --------
    >>> [stable_name(n) for n in ("backup-1795486759", "ci-job-9", "web-3f9c2a", "node-exporter", "redis7")]
    ['backup', 'ci-job', 'web', 'node-exporter', 'redis7']
    """
    parts = _SEPARATOR.split(name.lstrip("/"))
    words, separators = parts[::2], parts[1::2]
    kept: list[str] = []
    for position, word in enumerate(words):
        lowered = word.lower()
        trailing_ordinal = lowered.isdigit() and all(w.isdigit() for w in words[position:])
        if position and (trailing_ordinal or _TIMESTAMP.fullmatch(lowered) or _HASH.fullmatch(lowered)):
            continue
        kept.append((separators[position - 1] if kept else "") + word)
    return "".join(kept) or name


def is_engine_name(name: str) -> bool:
    """Say whether the engine invented this container name (`hopeful_turing`)."""
    return _ENGINE_NAME.fullmatch(name.lstrip("/")) is not None


def docker_workload(host: str | None, name: str | None, image: str | None, labels: Mapping[str, str]) -> str:
    """Name the workload of a container that a Docker Engine reports.

    Examples
    --------
    >>> docker_workload("n1", "a_b_1", None, {"com.docker.compose.project": "a", "com.docker.compose.service": "b"})
    'docker:a/b'
    >>> docker_workload("n1", "hopeful_turing", "registry.example/base/debian:12", {})
    'docker:n1/image:base/debian'
    """
    if project := labels.get("com.docker.compose.project"):
        return f"docker:{project}/{labels.get('com.docker.compose.service') or stable_name(name or 'unnamed')}"
    if service := labels.get("com.docker.swarm.service.name"):
        return f"docker:{service}"
    if pod := labels.get("io.kubernetes.pod.name"):
        namespace = labels.get("io.kubernetes.pod.namespace", "default")
        return kubernetes_workload(namespace, pod, labels.get("io.kubernetes.container.name", "POD"))
    where = host or UNKNOWN_HOST
    if name and not is_engine_name(name):
        return f"docker:{where}/{stable_name(name)}"
    repository = familiar_repository(image) if image else ""
    return f"docker:{where}/image:{repository or 'build'}"


def kubernetes_workload(namespace: str, pod: str, container: str, owner: tuple[str, str] | None = None) -> str:
    """Name the workload of a pod's container, following the controller that owns the pod.

    Parameters
    ----------
    owner
        Kind and name of the controlling owner reference. Without one the controller is read from the pod's name.

    Examples
    --------
    >>> kubernetes_workload("shop", "api-7d4b9c5f68-x2kqp", "app", ("ReplicaSet", "api-7d4b9c5f68"))
    'k8s:shop/deployment/api/app'
    >>> kubernetes_workload("shop", "backup-28394820-x2kqp", "dump")
    'k8s:shop/cronjob/backup/dump'
    """
    kind, controller = _controller(pod, owner)
    return f"k8s:{namespace}/{kind}/{controller}/{container}"


def _controller(pod: str, owner: tuple[str, str] | None) -> tuple[str, str]:
    if owner:
        kind, name = owner[0].lower(), owner[1]
        if kind == "replicaset" and (match := re.fullmatch(rf"(.+)-{_SAFE}{{6,10}}|(.+)-[0-9a-f]{{8,10}}", name)):
            return "deployment", match[1] or match[2]
        if kind == "job" and (match := re.fullmatch(r"(.+)-\d{8,10}", name)):
            return "cronjob", match[1]
        return kind, stable_name(name) if kind == "job" else name
    for kind, pattern in (("cronjob", _CRONJOB_POD), ("deployment", _DEPLOYMENT_POD), ("statefulset", _STATEFUL_POD)):
        if match := pattern.fullmatch(pod):
            return kind, match[1]
    if match := _GENERATED_POD.fullmatch(pod):
        return "daemonset", match[1]
    return "pod", pod


def cohort(workload: str) -> str:
    """Name the cohort a workload borrows strength from: its project, namespace or host, or its kind of entity.

    Examples
    --------
    >>> [cohort(w) for w in ("docker:shop/api", "k8s:shop/deployment/api/app", "docker:search", "ip:10.0.0.7")]
    ['docker:shop', 'k8s:shop', 'docker', 'ip']
    """
    scheme, _, rest = workload.partition(":")
    if scheme in {"docker", "k8s"} and "/" in rest:
        return f"{scheme}:{rest.partition('/')[0]}"
    return scheme
