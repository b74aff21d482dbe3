"""What is asked of the Kubernetes API."""

from typing import Any

import msgspec

from service.emulation.steps.step import Step


class Audit(Step, frozen=True, kw_only=True, tag="audit"):
    """Requests to the Kubernetes API.

    `user` is person, account (the victim's own), anonymous or new (an account made just now); `source` own, pod
    (another pod), outside. `resources` and `verbs` are gone through in turn. `namespace` is own, all or literally.
    `body` goes as requestObject. In `name`, `query` and `body` these stand for what they say: {pod}, {service}, {image}
    (the victim's), {namespace}, {node}, {made} (a name invented once per scenario), {word} (another one each time).
    """

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    user: str = "account"
    source: str = "own"
    agent: str = ""
    namespace: str = "own"
    group: str = ""
    subresource: str = ""
    name: str = ""
    query: str = ""
    code: int = 200
    body: dict[str, Any] = msgspec.field(default_factory=dict)
    count: int = 1
    every: float = 5.0
