"""A real object store on this machine that speaks S3: SeaweedFS, started for a test session on ports of its own."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import obstore
from obstore.store import from_url

KEY, SECRET = "test-key", "test-secret"  # of a server that only this machine reaches, and only while tests run
BUCKET = "telemetry"
PARTS = ("master", "volume", "filer", "s3")
PATIENCE = 60  # seconds to start


@contextmanager
def serving(folder: Path) -> Iterator[dict[str, str]]:
    """Serve a folder, and give the environment in which its bucket is reached."""
    ports = _free_ports(2 * len(PARTS))
    identity = {"name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = [
        Path(sys.executable).with_name("weed"),
        "server",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-volume.max=20",
        "-master.volumeSizeLimitMB=64",
        "-s3",
        f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=true",
        f"-s3.localSocket={folder / 's3.sock'}",
        f"-filer.localSocket={folder / 'filer.sock'}",
        *(f"-{part}.port={port}" for part, port in zip(PARTS, ports, strict=False)),
        *(f"-{part}.port.grpc={port}" for part, port in zip(PARTS, ports[len(PARTS) :], strict=True)),
    ]
    endpoint = f"http://127.0.0.1:{ports[PARTS.index('s3')]}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _wait(endpoint, server, folder / "log")
            environment = {
                "AWS_ENDPOINT_URL": endpoint,
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET,
            }
            config = {name.lower(): value for name, value in environment.items()}
            bucket = from_url(f"s3://{BUCKET}", config=config, client_options={"allow_http": True})
            obstore.put(bucket, "made", b"")  # the first object makes the bucket
            yield environment
        finally:
            server.terminate()
            server.wait()


def _wait(endpoint: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(endpoint)  # noqa: S310 -- an address of this machine
        except urllib.error.HTTPError:  # it answers: nobody may do anything without a key
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the object store did not start: {log.read_text()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
