import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from models.errors import ArtefactError
from service.private_files import PrivateFileError
from service.settings import Settings
from service.wiring import HomeError, champion, open_home, signing_key, trusted_keys

ROOT = Path(__file__).resolve().parents[2]


def test_a_new_home_is_private(settings_at: Callable[..., Settings]) -> None:
    """Folders are for their owner alone, the signing key is 0600, its public half lies beside it."""
    home = open_home(settings_at())
    root = home.settings.home
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert stat.S_IMODE((root / "keys/signing.key").stat().st_mode) == 0o600
    assert b"PUBLIC KEY" in (root / "keys/signing.pub").read_bytes()
    assert champion(home) is None


def test_the_key_is_made_once(tmp_path: Path) -> None:
    """Processes that start at once agree on one key, which stays."""
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: signing_key(tmp_path), range(16)))
    raw = {key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()) for key in keys}
    assert len(raw) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["signing.key", "signing.pub"]


def test_a_key_open_to_others_is_refused(tmp_path: Path) -> None:
    """A key that others can read is an error that says what to run."""
    signing_key(tmp_path)
    (tmp_path / "signing.key").chmod(0o640)
    with pytest.raises(PrivateFileError, match="chmod 600"):
        signing_key(tmp_path)


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    """A key file that is no key is an error that names it."""
    (tmp_path / "signing.key").touch(0o600)
    with pytest.raises(HomeError, match=r"signing\.key"):
        signing_key(tmp_path)


def test_keys_of_others_can_be_trusted(tmp_path: Path) -> None:
    """Every public key in the folder is trusted; a file that is none is an error."""
    signing_key(tmp_path)
    other = Ed25519PrivateKey.generate().public_key()
    (tmp_path / "trainer.pub").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert len(trusted_keys(tmp_path)) == 2
    (tmp_path / "trainer.pub").write_text("nonsense")
    with pytest.raises(HomeError, match=r"trainer\.pub"):
        trusted_keys(tmp_path)


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A file where the home should be is an error that says so."""
    (tmp_path / "home").touch()
    with pytest.raises(HomeError, match="--home") as caught:
        open_home(Settings.load(tmp_path / "home", {}))
    assert "\n" not in str(caught.value)


def test_the_champion_is_loaded_once(fleet: Any) -> None:
    """A version is read from disk once in a process."""
    first = champion(fleet.home)
    assert first is not None
    assert first.version == fleet.version
    assert champion(fleet.home) is first


def test_an_altered_champion_is_refused(settings_at: Callable[..., Settings], fleet: Any) -> None:
    """A model whose files were changed after signing is not loaded."""
    home = open_home(settings_at())
    source = fleet.settings.home
    subprocess.run(["cp", "-r", f"{source}/models/.", f"{home.settings.home}/models"], check=True)
    subprocess.run(["cp", f"{source}/keys/signing.pub", f"{home.settings.home}/keys/fleet.pub"], check=True)
    with pytest.raises(ArtefactError):
        champion(home)
    home = open_home(home.settings)
    assert champion(home) is not None
    file = next((home.settings.home / "models" / fleet.version).glob("*.npz"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtefactError):
        champion(open_home(home.settings))


@pytest.mark.parametrize("name", ["features", "models"])
def test_a_shadowing_package_is_told(tmp_path: Path, name: str) -> None:
    """Another package called features or models earlier on the path is an error that names both places."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    run = subprocess.run(
        [sys.executable, "-c", "import service"],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    last = run.stderr.strip().splitlines()[-1]
    assert str(tmp_path / name) in last
    assert str(ROOT / name) in last


def test_a_web_process_imports_no_training() -> None:
    """The application does not import scikit-learn, joblib or pickle-based formats of its own."""
    program = "import sys, service.app; print(sorted({'sklearn', 'joblib', 'scipy'} & sys.modules.keys()))"
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_the_lake_lies_where_the_settings_say(settings_at: Callable[..., Settings], tmp_path: Path) -> None:
    """In the home, in another directory, or in a bucket, which is not asked for anything before events are."""
    assert open_home(settings_at()).lake.store.location("a") == str(tmp_path / "home" / "lake" / "a")
    assert open_home(settings_at(lake=str(tmp_path / "disk"))).lake.store.location("a") == str(tmp_path / "disk" / "a")
    assert open_home(settings_at(lake="s3://telemetry/x/")).lake.store.location("a") == "s3://telemetry/x/a"


def test_a_lake_that_cannot_be_made_is_one_line(settings_at: Callable[..., Settings], tmp_path: Path) -> None:
    """A place below a file is refused by name."""
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match=r"cannot create the lake .*file/lake.*choose another place"):
        open_home(settings_at(lake=str(tmp_path / "file" / "lake")))


def test_object_storage_without_its_extra_says_what_to_install(
    settings_at: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where obstore is not installed, a bucket as the lake is refused with the command that installs it."""
    monkeypatch.delitem(sys.modules, "features.buckets", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(HomeError, match=r"pip install 'wharfinger\[objects\]'"):
        open_home(settings_at(lake="s3://telemetry/x"))
