"""Joins settings, lake, registry and database into one home; the only place that knows where each of them lies."""

import secrets
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.lake import Lake
from features.lives import Lives
from features.window_store import WindowStore
from models.detector import Detector
from models.errors import ArtefactError
from models.registry import Registry
from service.access.audit import AuditLog
from service.access.keys import KeyStore
from service.answers import Answers
from service.coverage import CoverageStore
from service.database import Database, Sqlite, connect
from service.feedback import FeedbackStore
from service.heard import Heard
from service.outbox import Outbox
from service.outputs.configuration import configured
from service.outputs.output import Output
from service.private_files import read_or_make
from service.settings import Settings
from service.spool import Spool
from service.storage import ScoreStore
from service.touched import TouchedWindows

FOLDERS = ("models", "keys", "rejects", "spool")


class HomeError(Exception):
    """The home directory cannot be used; the message is one line and says what to do."""


@dataclass(frozen=True, eq=False)
class Home:
    """One installation's state on disk; `loaded` keeps the champion of this process, guarded by `loading`."""

    settings: Settings
    lake: Lake
    registry: Registry
    database: Database
    spool: Spool
    loaded: dict[str, Detector] = field(default_factory=dict, repr=False)
    loading: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def lives(self) -> Lives:
        """Lives of the lake's containers, as far as this process has read of them; not for several threads."""
        return Lives(self.lake)

    @property
    def windows(self) -> WindowStore:
        """Windows of the lake's days, made and kept by the job that extracts them."""
        return WindowStore(self.settings.home / "windows")

    @property
    def heard(self) -> Heard:
        """Up to when each source was heard."""
        return Heard(self.database)

    @property
    def coverage(self) -> CoverageStore:
        """Which source told of what."""
        return CoverageStore(self.database)

    @property
    def touched(self) -> TouchedWindows:
        """Windows that intake added events to."""
        return TouchedWindows(self.database, reopen=timedelta(seconds=self.settings.reopen_seconds))

    @property
    def answers(self) -> Answers:
        """Answers given under a key."""
        return Answers(self.database)

    @property
    def store(self) -> ScoreStore:
        """Stored scores."""
        return ScoreStore(self.database)

    @property
    def feedback(self) -> FeedbackStore:
        """Announced changes and verdicts."""
        return FeedbackStore(self.database)

    @property
    def outbox(self) -> Outbox:
        """Messages to outputs."""
        return Outbox(self.database)

    @cached_property
    def outputs(self) -> list[Output]:
        """Where alerts are told; raises `service.outputs.errors.OutputError` if one is not as it can be."""
        return configured(self.settings.outputs)

    @property
    def keys(self) -> KeyStore:
        """API keys."""
        return KeyStore(self.database)

    @property
    def audit(self) -> AuditLog:
        """Who changed what."""
        return AuditLog(self.database)

    def session_secret(self) -> bytes:
        """Read what signs the dashboard's sessions, or make it.

        Raises
        ------
        service.private_files.PrivateFileError
            If it cannot be read, or others can read it.
        """
        return read_or_make(self.settings.home / "keys" / "session.key", partial(secrets.token_bytes, 32))

    @property
    def rejects(self) -> Path:
        """Folder of the dead-letter files of ingest."""
        return self.settings.home / "rejects"


def open_home(settings: Settings) -> Home:
    """Open the home directory, creating what is missing: folders (0700) and the signing key (0600).

    Raises
    ------
    HomeError
        If a folder cannot be created, the signing key is none, or object storage is asked for and what it needs is not
        installed.
    service.private_files.PrivateFileError
        If the signing key is unreadable or open to others.
    DatabaseError
        If the database cannot be opened, or is newer than this version.
    """
    root = settings.home
    try:
        for folder in (root, *(root / name for name in FOLDERS)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"cannot create {error.filename}: {error.strerror}; choose another home with --home") from error
    key = signing_key(root / "keys")
    registry = Registry(root / "models", key=key, trusted=trusted_keys(root / "keys"))
    database = connect(settings.database_url, root)
    database.migrate()
    spool = Spool(root / "spool", settings.spool_bytes)
    return Home(settings, open_lake(settings), registry, database, spool)


def look_into(settings: Settings) -> Home:
    """Open the home directory as it is, for looking: nothing is made, no schema changed, no model can be signed.

    Raises
    ------
    HomeError
        If something is missing, or the same as of `open_home`.
    DatabaseError
        If the database's address is none.
    """
    root = settings.home
    needed = [root, *(root / name for name in FOLDERS)] + ([] if "://" in settings.lake else [_lake_folder(settings)])
    database = connect(settings.database_url, root)
    if isinstance(database, Sqlite):
        needed.append(database.path)
    for path in needed:
        if not path.exists():
            raise HomeError(f"there is no {path} (any other command makes it, such as wharfinger ingest)")
    registry = Registry(root / "models", trusted=trusted_keys(root / "keys"))
    return Home(settings, open_lake(settings), registry, database, Spool(root / "spool", settings.spool_bytes))


def open_lake(settings: Settings) -> Lake:
    """Open the lake where the settings say; an object store is not asked before events are.

    Raises
    ------
    HomeError
        If its directory cannot be created, or what object storage needs is not installed.
    """
    if "://" in settings.lake:
        try:
            from features.buckets import Bucket  # noqa: PLC0415 -- needs an optional package
        except ModuleNotFoundError as error:
            raise HomeError(
                f"the lake {settings.lake} needs obstore; run: pip install 'wharfinger[objects]'"
            ) from error
        return Lake(Bucket(settings.lake, settings.home))
    place = _lake_folder(settings)
    try:
        return Lake(place)
    except OSError as error:
        raise HomeError(f"cannot create the lake {place}: {error.strerror}; choose another place") from error


def _lake_folder(settings: Settings) -> Path:
    return Path(settings.lake).expanduser().absolute() if settings.lake else settings.home / "lake"


def champion(home: Home) -> Detector | None:
    """Load the champion model; a version already loaded by this process is not read again.

    Returns
    -------
    The detector, or None while no model was promoted.

    Raises
    ------
    models.errors.ArtefactError
        If the champion's files are not what was signed, or it was made for other features.
    """
    version = home.registry.champion()
    if version is None:
        return None
    with home.loading:
        if version not in home.loaded:
            try:
                detector = Detector.from_artefact(home.registry.load(version), version)
            except ValueError as error:
                raise ArtefactError(str(error)) from error
            home.loaded.clear()
            home.loaded[version] = detector
        return home.loaded[version]


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """Read the key that signs models, or make one; its public half lies beside it as `signing.pub`."""
    path = folder / "signing.key"
    try:
        key = serialization.load_pem_private_key(read_or_make(path, _new_signing_key), password=None)
    except ValueError as error:
        raise HomeError(f"cannot read the signing key {path}: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise HomeError(f"{path} is not an Ed25519 key; move it away and a new one is made")
    public = path.with_suffix(".pub")
    if not public.exists():
        public.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
    return key


def trusted_keys(folder: Path) -> list[Ed25519PublicKey]:
    """Read every `*.pub` of the folder: models signed by one of them are loaded."""
    keys = []
    for path in sorted(folder.glob("*.pub")):
        try:
            key = serialization.load_pem_public_key(path.read_bytes())
        except (OSError, ValueError) as error:
            raise HomeError(f"cannot read the public key {path}: {error}") from error
        if not isinstance(key, Ed25519PublicKey):
            raise HomeError(f"{path} is not an Ed25519 public key")
        keys.append(key)
    return keys


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
