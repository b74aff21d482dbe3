"""Images of the range, made from what Debian packages put on this machine, never from a download."""

import hashlib
import http.client
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from data.capture.engine import Engine

HERE = Path(__file__).parent
SKIPPED = ("test", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "__pycache__", "distutils", "pydoc_data")


def busybox_tar(note: str = "") -> bytes:
    """Return a tar of a root file system that holds a static busybox with its links and nothing else."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add_busybox(tar)
        _add_text(tar, "etc/release", f"range {note}\n")
    return buffer.getvalue()


def python_tar() -> bytes:
    """Return a tar of busybox plus this machine's python3, its standard library and the libraries it links to."""
    python = Path("/usr/bin/python3").resolve()
    library = Path("/usr/lib") / python.name
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add_busybox(tar)
        tar.add(python, "usr/bin/python3")
        tar.add(library, f"usr/lib/{python.name}", filter=_wanted)
        for path in sorted(_libraries([python, *library.glob("lib-dynload/*.so")])):
            tar.add(Path(path).resolve(), path.lstrip("/"))
    return buffer.getvalue()


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if any(part in SKIPPED or part.startswith("config-") for part in Path(member.name).parts) else member


def _libraries(binaries: list[Path]) -> set[str]:
    text = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    words = [word for line in text.splitlines() if not line.endswith(":") for word in line.split()]
    return {word for word in words if word.startswith("/") and ".so" in word}


def _add_busybox(tar: tarfile.TarFile) -> None:
    tar.add("/bin/busybox", "bin/busybox")
    listing = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    for name in listing.stdout.split():
        if name != "busybox":
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    _add_text(tar, "etc/passwd", "root:x:0:0:root:/:/bin/sh\n")
    for folder in ("tmp", "app", "var/log"):
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(entry)


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(text)
    tar.addfile(entry, io.BytesIO(text.encode()))


def certificate(folder: Path) -> Path:
    """Make the lab's self-signed certificate and key, one PEM file."""
    pem = folder / "lab.pem"
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "3650",
            "-subj",
            "/CN=range.example",
            "-keyout",
            str(key),
            "-out",
            str(cert),
        ],
        check=True,
        capture_output=True,
    )
    pem.write_text(key.read_text() + cert.read_text())
    return pem


def context(folder: Path, base: str, plan: dict[str, Any], version: str, pem: Path) -> Path:
    """Write a build context: the actor, its plan, a Dockerfile that names the version in a label."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("actor.py", "asks.py", "serves.py"):
        shutil.copy(HERE / name, folder / name)
    shutil.copy(pem, folder / "lab.pem")
    (folder / "plan.json").write_text(json.dumps(plan))
    (folder / "Dockerfile").write_text(
        f"FROM {base}\nCOPY . /app/\nLABEL org.opencontainers.image.version={version}\n"
        'CMD ["python3", "/app/actor.py"]\n'
    )
    return folder


def build(engine: Engine, reference: str, folder: Path) -> None:
    """Build with the legacy builder, so that its per-step containers show among the events."""
    engine.docker("build", "--network", "none", "--force-rm", "-q", "-t", reference, str(folder))


def push_from_elsewhere(port: int, repository: str, tag: str, command: list[str], source: str) -> str:
    """Push a changed copy of a tag straight to a registry, past the engine, and return the new manifest digest.

    The layers stay; only the configuration's command differs. The client is not Docker and comes from `source`.
    """

    def ask(method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:  # noqa: ANN401
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(source, 0))
        connection.request(method, path, body, {"User-Agent": "go-containerregistry/v0.20.2", **(headers or {})})
        answer = connection.getresponse()
        content, location = answer.read(), answer.headers.get("Location", "")
        connection.close()
        return content, location

    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.loads(ask("GET", f"/v2/{repository}/manifests/{tag}", None, {"Accept": kind})[0])
    config = json.loads(ask("GET", f"/v2/{repository}/blobs/{manifest['config']['digest']}")[0])
    config["config"]["Cmd"] = command
    blob = json.dumps(config).encode()
    digest = "sha256:" + hashlib.sha256(blob).hexdigest()
    location = ask("POST", f"/v2/{repository}/blobs/uploads/")[1]
    path = "/" + location.split("/", 3)[3]
    ask("PUT", f"{path}&digest={digest}", blob, {"Content-Type": "application/octet-stream"})
    manifest["config"].update(digest=digest, size=len(blob))
    body = json.dumps(manifest).encode()
    ask("PUT", f"/v2/{repository}/manifests/{tag}", body, {"Content-Type": kind})
    return "sha256:" + hashlib.sha256(body).hexdigest()
