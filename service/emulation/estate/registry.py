"""The own OCI registry: what each tag points at, and the notifications it sends."""

from dataclasses import dataclass

import numpy as np

from service.emulation.estate.ids import digest, iso_nano, uuid
from service.emulation.estate.sink import Sink

HOST = "registry.corp.example"


@dataclass
class Registry:
    sink: Sink
    rng: np.random.Generator
    images: dict[str, str]
    machines: str
    engine_agent: str = (
        "docker/20.10.24+dfsg1 go/go1.19.8 git-commit/5d6db84 kernel/6.1.0-25-amd64 os/linux arch/amd64 "
        "UpstreamClient(Docker-Client/20.10.24 \\(linux\\))"
    )

    def notify(self, action: str, repository: str, tag: str, now: float, *, address: str, agent: str) -> None:
        name = repository.removeprefix(f"{HOST}/")
        value = self.images.setdefault(f"{repository}:{tag}", digest(self.rng))
        size = int(self.rng.integers(500, 4000))
        event = {
            "id": uuid(self.rng), "timestamp": iso_nano(now), "action": action,
            "target": {
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "digest": value, "size": size,
                "length": size, "repository": name, "url": f"https://{HOST}/v2/{name}/manifests/{value}", "tag": tag,
            },
            "request": {
                "id": uuid(self.rng), "addr": f"{address}:{self.rng.integers(32768, 60999)}", "host": HOST,
                "method": "PUT" if action == "push" else "GET", "useragent": agent,
            },
            "actor": {"name": "ci"} if action == "push" and address.startswith(self.machines) else {},
            "source": {"addr": "registry-1:5000", "instanceID": "a53db899-3b4b-4a62-a067-8dd013beaca4"},
        }  # fmt: skip
        self.sink.json("registry", now, {"events": [event]})
