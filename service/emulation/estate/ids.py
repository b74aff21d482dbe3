"""Identifiers and timestamps in the forms the sources print them."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

Objects = NDArray[np.object_]

_BASE62 = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
_BASE32 = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_KUBE = "bcdfghjklmnpqrstvwxz2456789"


def hex_id(rng: np.random.Generator, length: int = 64) -> str:
    return rng.bytes((length + 1) // 2).hex()[:length]


def digest(rng: np.random.Generator) -> str:
    return "sha256:" + hex_id(rng)


def uuid(rng: np.random.Generator) -> str:
    text = hex_id(rng, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def flow_uids(serials: NDArray[np.int64], key: int) -> list[bytes]:
    """Return the connection ids that belong to serial numbers: the same for the same number, and like random ones."""
    chars = np.empty((len(serials), 18), dtype=np.uint8)
    for half in range(2):
        mixed = serials.astype(np.uint64) * np.uint64(2) + np.uint64(half) + np.uint64(key)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 0x9E3779B97F4A7C15)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(29)
        for place in range(9):
            mixed, digit = np.divmod(mixed, np.uint64(62))
            chars[:, 9 * half + place] = _BASE62[digit]
    chars[:, 0] = ord("C")
    texts: list[bytes] = chars.view("S18").ravel().tolist()
    return texts


def base32_labels(rng: np.random.Generator, count: int, length: int) -> list[str]:
    chars = _BASE32[rng.integers(0, 32, (count, length), dtype=np.uint8)]
    return chars.view(f"S{length}").ravel().astype(f"U{length}").tolist()


def kube_suffix(rng: np.random.Generator, length: int) -> str:
    return "".join(_KUBE[i] for i in rng.integers(0, len(_KUBE), length))


def swarm_id(rng: np.random.Generator) -> str:
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join(alphabet[i] for i in rng.integers(0, 36, 25))


def iso(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_micro(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def iso_nano(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + f"{int(epoch * 1e9) % 1000:03d}Z"


def parse_iso(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
