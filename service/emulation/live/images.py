"""The images of a run: a tar of the host's static busybox, or a layer on an image that the host has already."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from service.emulation.live.actions import LABEL, LiveError

BUSYBOX = (Path("/bin/busybox"), Path("/usr/bin/busybox"))
LOADER = b"/ld-"
"""Stands near the start of a program that needs shared libraries."""


def busybox() -> Path | None:
    """Return the host's busybox, if it is a static one."""
    for path in BUSYBOX:
        if path.is_file():
            with path.open("rb") as file:
                if LOADER not in file.read(4096):
                    return path
    return None


def openssl() -> Path | None:
    """Return the host's openssl."""
    found = shutil.which("openssl")
    return Path(found) if found else None


def root_tar(files: Mapping[str, str], *, tls: bool, note: str) -> bytes:
    """Return a tar of a root file system: busybox with its links, the files, and openssl where TLS is spoken.

    Raises
    ------
    LiveError
        If the host has no static busybox.
    """
    program = busybox()
    if program is None:
        raise LiveError("no static busybox to make images of (Debian: busybox-static; or name an image with --image)")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(program, "bin/busybox")
        for name in _lines([str(program), "--list"]):
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        _folders(tar)
        _text(tar, "etc/passwd", "root:x:0:0:root:/:/bin/sh\n")
        _text(tar, "etc/release", f"{note}\n")
        for path, text in files.items():
            _text(tar, path.lstrip("/"), text)
        if tls:
            _openssl(tar)
    return buffer.getvalue()


def layer_tar(base: str, files: Mapping[str, str], run: str, note: str) -> bytes:
    """Return a build context that puts the files on an image of the host and labels the result."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        lines = [f"FROM {base}", f"LABEL {LABEL}={run} release={note!r}", "COPY emulation /emulation"]
        _text(tar, "Dockerfile", "\n".join(lines) + "\n")
        _text(tar, "emulation/release", f"{note}\n")
        for path, text in files.items():
            _text(tar, path.lstrip("/"), text)
    return buffer.getvalue()


def certificate() -> dict[str, str]:
    """Make a key and a certificate of its own for the sinks' TLS."""
    program = openssl()
    if program is None:
        raise LiveError("no openssl to make a certificate with (Debian: openssl)")
    words = (
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=emulation.example"
        " -keyout /dev/stdout -out /dev/stdout"
    )
    done = subprocess.run([program, *words.split()], capture_output=True, text=True, check=False, timeout=30)  # noqa: S603 -- a fixed command
    if done.returncode != 0:
        raise LiveError(f"openssl makes no certificate: {done.stderr.strip()}")
    key, marker, rest = done.stdout.partition("-----BEGIN CERTIFICATE-----")
    return {"/emulation/key.pem": key, "/emulation/cert.pem": marker + rest}


def _openssl(tar: tarfile.TarFile) -> None:
    program = openssl()
    if program is None:
        raise LiveError("no openssl for the stand-ins (Debian: openssl)")
    tar.add(program.resolve(), "usr/bin/openssl")
    _text(tar, "etc/openssl.cnf", "")
    words = [word for line in _lines(["ldd", str(program)]) for word in line.split()]
    for path in sorted({word for word in words if word.startswith("/")}):
        tar.add(Path(path).resolve(), path.lstrip("/"))


def _lines(command: list[str]) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()  # noqa: S603 -- programs found above


def _folders(tar: tarfile.TarFile) -> None:
    for folder in ("tmp", "var/tmp", "var/log", "root", "opt", "usr/local/bin", "www"):
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(entry)


def _text(tar: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(text.encode()), 0o755
    tar.addfile(entry, io.BytesIO(text.encode()))
