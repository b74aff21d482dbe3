"""Keep model versions as signed directories, and point at the one that serves.

A version is a directory of `.npz` and `.parquet` files, `manifest.json` with the SHA-256 and size of each, and
`manifest.sig`, an Ed25519 signature over the manifest's bytes. Nothing is parsed before its signature or hash has been
checked, and nothing is pickled. The pointers are not signed: who may write to the directory may choose among signed
versions.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Literal

import polars as pl
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

from models.artefact_files import (
    npz_bytes,
    parquet_bytes,
    read_file,
    read_npz,
    read_parquet,
    replace_file,
    write_directory,
)
from models.errors import ArtefactError

FORMAT = 1
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
FILE = re.compile(r"[a-z][a-z0-9_]{0,63}\.(npz|parquet)")
VERSION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ-[0-9a-f]{4,64}")
MAX_MANIFEST = 16 * 2**20
MAX_FILE = 4 * 2**30
MAX_POINTER = 2**20
SIGNATURE = 64
SIGNED = {"manifest.json", "manifest.sig"}
RESTORE = "restore it from a copy or train again"
LIBRARIES = ("numpy", "polars", "scikit-learn")
Role = Literal["champion", "challenger"]


@dataclass(frozen=True, eq=False)
class Artefact:
    """What makes a model: a JSON-ready manifest, named groups of arrays, named tables."""

    manifest: dict[str, Any]
    arrays: dict[str, dict[str, NDArray[Any]]]
    tables: dict[str, pl.DataFrame]


class Registry:
    """Model versions under a directory.

    Parameters
    ----------
    root
        Directory of the registry; made on the first save.
    key
        Signs what is saved; its public half is trusted.
    trusted
        Further keys whose versions may be loaded.
    """

    def __init__(
        self, root: Path, *, key: Ed25519PrivateKey | None = None, trusted: Sequence[Ed25519PublicKey] = ()
    ) -> None:
        self.root = root
        self._key = key
        self._trusted = [*trusted, *([key.public_key()] if key else [])]

    def save(self, artefact: Artefact, *, created_at: datetime) -> str:
        """Store a signed version and return its name; it appears as a whole or not at all.

        The name is `created_at` in UTC and the first digits of the content's hash, as many as make it new.

        Raises
        ------
        ArtefactError
            There is no key to sign with, a name is not lower-case letters, digits and underscores, or an array holds
            Python objects.
        """
        if self._key is None:
            raise ArtefactError("a model can be saved only with a signing key: open the registry with one")
        files = _files(artefact)
        content = {
            "format": FORMAT,
            "model": artefact.manifest,
            "files": {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in files.items()},
            "libraries": {name: library_version(name) for name in LIBRARIES},
        }
        digest = _sha256(_json(content))
        stamp = created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for digits in range(4, len(digest) + 1):
            version = f"{stamp}-{digest[:digits]}"
            signed = _json(content | {"version": version, "created_at": stamp})
            try:
                write_directory(
                    self.root / version, files | {"manifest.json": signed, "manifest.sig": self._key.sign(signed)}
                )
            except FileExistsError:
                continue
            return version
        raise ArtefactError(f"{stamp}: this content has been saved in this second already")

    def load(self, version: str) -> Artefact:
        """Return a version after checking its signature and the size and hash of each file.

        Raises
        ------
        ArtefactError
            There is no such version, no trusted key signed it, or it is not what was signed.
        """
        manifest = self._verified(version)
        self._check_listing(version, manifest)
        artefact = Artefact(manifest["model"], {}, {})
        for name, described in manifest["files"].items():
            data = self._read(version, name, min(described["bytes"], MAX_FILE))
            if len(data) != described["bytes"] or _sha256(data) != described["sha256"]:
                raise ArtefactError(f"model {version}: {name} was changed after signing; {RESTORE}")
            stem, _, kind = name.partition(".")
            if kind == "npz":
                artefact.arrays[stem] = read_npz(data, name)
            else:
                artefact.tables[stem] = read_parquet(data, name)
        return artefact

    def manifest(self, version: str) -> dict[str, Any]:
        """Return the model's manifest with `version`, `created_at`, `files` and `libraries`, its signature checked."""
        manifest = self._verified(version)
        kept = ("version", "created_at", "files", "libraries")
        return {**manifest["model"], **{name: manifest[name] for name in kept}}

    def versions(self) -> list[dict[str, Any]]:
        """Return a summary of each version, newest first.

        It holds the plain values of the model's manifest, `version`, `created_at`, `bytes` and `role` (champion,
        challenger or empty); of a version that cannot be trusted only `version`, `role` and `error`.
        """
        names = (
            [path.name for path in self.root.iterdir() if VERSION.fullmatch(path.name)] if self.root.is_dir() else []
        )
        return [self._summary(name) for name in sorted(names, reverse=True)]

    def champion(self) -> str | None:
        """Return the version that serves."""
        history = self._history("champion")
        return history[-1] if history else None

    def challenger(self) -> str | None:
        """Return the version that is compared with the champion."""
        history = self._history("challenger")
        return history[-1] if history else None

    def promote(self, version: str) -> None:
        """Make a version champion; the one before stays in the history."""
        self._point("champion", version)
        if self.challenger() == version:
            self.withdraw()

    def challenge(self, version: str) -> None:
        """Make a version challenger."""
        self._point("challenger", version)

    def withdraw(self) -> None:
        """Leave the champion without a challenger."""
        (self.root / "challenger.json").unlink(missing_ok=True)

    def rollback(self) -> str:
        """Make the previous champion serve again and return it.

        Raises
        ------
        ArtefactError
            There is none, or it cannot be trusted any more.
        """
        history = self._history("champion")[:-1]
        if not history:
            raise ArtefactError("there is no earlier champion to go back to: promote a version by name")
        self._verified(history[-1])
        self._write_history("champion", history)
        return history[-1]

    def _point(self, role: Role, version: str) -> None:
        self._verified(version)
        history = self._history(role)
        if not history or history[-1] != version:
            self._write_history(role, [*history, version])

    def _history(self, role: Role) -> list[str]:
        path = self.root / f"{role}.json"
        if not path.exists():
            return []
        try:
            history = json.loads(read_file(path, MAX_POINTER))["history"]
            good = all(VERSION.fullmatch(version) for version in history)
        except (KeyError, OSError, TypeError, ValueError) as error:
            raise ArtefactError(f"{path.name} cannot be read ({error}): delete it and promote a version") from error
        if not good or not isinstance(history, list):
            raise ArtefactError(f"{path.name} names no versions: delete it and promote a version")
        return history

    def _write_history(self, role: Role, history: list[str]) -> None:
        replace_file(self.root / f"{role}.json", _json({"history": history}))

    def _summary(self, version: str) -> dict[str, Any]:
        role = {self.challenger(): "challenger", self.champion(): "champion"}.get(version, "")
        try:
            manifest = self._verified(version)
        except ArtefactError as error:
            return {"version": version, "role": role, "error": str(error)}
        plain = {name: value for name, value in manifest["model"].items() if isinstance(value, str | int | float)}
        size = sum(file["bytes"] for file in manifest["files"].values())
        return plain | {"version": version, "created_at": manifest["created_at"], "bytes": size, "role": role}

    def _verified(self, version: str) -> dict[str, Any]:
        """Return the stored manifest; it is not parsed before its signature has been checked."""
        if not VERSION.fullmatch(version) or not (self.root / version).is_dir() or (self.root / version).is_symlink():
            raise ArtefactError(f"there is no model {version!r}: list the versions")
        signature = self._read(version, "manifest.sig", SIGNATURE)
        data = self._read(version, "manifest.json", MAX_MANIFEST)
        if not any(_signed_by(key, signature, data) for key in self._trusted):
            raise ArtefactError(f"model {version}: not signed by a trusted key; trust its signer's key or train again")
        try:
            manifest: dict[str, Any] = json.loads(data)
            _check_manifest(manifest, version)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"model {version}: its manifest makes no sense ({error}); {RESTORE}") from error
        return manifest

    def _check_listing(self, version: str, manifest: dict[str, Any]) -> None:
        extra = {path.name for path in (self.root / version).iterdir()} - set(manifest["files"]) - SIGNED
        if extra:
            raise ArtefactError(f"model {version}: {min(extra)} was not signed; remove it if you know why it is there")

    def _read(self, version: str, name: str, most: int) -> bytes:
        try:
            return read_file(self.root / version / name, most)
        except OSError as error:
            raise ArtefactError(f"model {version}: {name} cannot be read ({error}); {RESTORE}") from error


def _files(artefact: Artefact) -> dict[str, bytes]:
    for name in [*artefact.arrays, *artefact.tables]:
        if not NAME.fullmatch(name):
            raise ArtefactError(
                f"{name!r} cannot name a file of a model: use lower-case letters, digits and underscores"
            )
    arrays = {f"{name}.npz": npz_bytes(arrays) for name, arrays in artefact.arrays.items()}
    return arrays | {f"{name}.parquet": parquet_bytes(table) for name, table in artefact.tables.items()}


def _check_manifest(manifest: dict[str, Any], version: str) -> None:
    if manifest["format"] != FORMAT:
        raise ValueError(f"format {manifest['format']}, this release reads {FORMAT}")
    if manifest["version"] != version or not isinstance(manifest["model"], dict):
        raise ValueError(f"it belongs to {manifest['version']}")
    for name, described in manifest["files"].items():
        if not FILE.fullmatch(name) or not 0 <= described["bytes"] <= MAX_FILE or len(described["sha256"]) != SIGNATURE:
            raise ValueError(f"file {name!r}")


def _signed_by(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
    return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1, sort_keys=True).encode()
