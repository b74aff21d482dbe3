"""Answers DNS at a sink: a socket in that container's network namespace, served by this process."""

import ctypes
import hashlib
import os
import select
import socket
import struct
import threading
from collections.abc import Mapping
from typing import Self

from service.emulation.live.actions import LiveError

CLONE_NEWNET = 0x40000000
A, TXT = 1, 16
NO_SUCH_NAME = 3


class Answers:
    """A DNS server on port 53 of a container's network; only root may enter that network.

    Parameters
    ----------
    pid
        A process of the container.
    zone
        By name the address; by `*.` and a zone: text, random or none.
    """

    def __init__(self, pid: int, zone: Mapping[str, str]) -> None:
        self.pid = pid
        self.zone = zone
        self.asked = 0
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._failed = ""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(5)
        if self._failed:
            raise LiveError(f"cannot answer DNS on the emulation's network: {self._failed}")
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join(5)

    def _serve(self) -> None:
        try:
            # A network namespace belongs to a thread: only this one moves, and it ends there.
            _enter(self.pid)
            peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            peer.bind(("0.0.0.0", 53))  # noqa: S104 -- within the container
        except OSError as error:
            self._failed = str(error)
            return
        finally:
            self._ready.set()
        with peer:
            while not self._closing.is_set():
                if select.select([peer], [], [], 0.2)[0]:
                    question, client = peer.recvfrom(2048)
                    self.asked += 1
                    if reply := answer(question, self.zone):
                        peer.sendto(reply, client)


def _enter(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        if libc.setns(handle, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(handle)


def answer(question: bytes, zone: Mapping[str, str]) -> bytes:
    r"""Return the reply to a question; nothing for what is no question.

    Examples
    --------
    >>> ask = bytes(5) + b"\x01" + bytes(6) + b"\x01a\x07example\x00" + bytes([0, 1, 0, 1])
    >>> answer(ask, {"a.example": "198.51.100.3"})[-4:].hex()
    'c6336403'
    """
    labels, at = [], 12
    while at < len(question) and question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace").lower())
        at += 1 + question[at]
    if len(question) < at + 5:
        return b""
    kind = struct.unpack(">H", question[at + 1 : at + 3])[0]
    data = _data(".".join(labels), kind, zone)
    record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data if data else b""
    flags = 0x8180 | (NO_SUCH_NAME if data is None else 0)
    head = question[:2] + struct.pack(">HHHHH", flags, 1, 1 if data else 0, 0, 0)
    return head + question[12 : at + 5] + record


def _data(name: str, kind: int, zone: Mapping[str, str]) -> bytes | None:
    how = zone.get(name)
    if how is None:
        parts = name.split(".")
        how = next(
            (zone[f"*.{'.'.join(parts[n:])}"] for n in range(1, len(parts)) if f"*.{'.'.join(parts[n:])}" in zone), None
        )
    if how is None or how == "none":
        return None
    drawn = hashlib.sha256(name.encode()).digest()
    if kind == TXT:
        return bytes([120]) + drawn.hex().encode().ljust(120, b"A")[:120]
    if kind != A:
        return b""
    return socket.inet_aton(how) if how[0].isdigit() else bytes([198, 18, drawn[0], drawn[1]])
