import json
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from polars.testing import assert_frame_equal

from models.errors import ArtefactError
from models.registry import Artefact, Registry

NIGHT = datetime(2026, 9, 14, 2, 0, 0, 500, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))


def artefact(seed: int = 0) -> Artefact:
    rng = np.random.default_rng(seed)
    return Artefact(
        manifest={"features": ["network.new_destination"], "seed": seed, "name": "fleet"},
        arrays={"forest": {"threshold": rng.normal(size=9).astype(np.float32), "roots": np.array([0, 4], np.int32)}},
        tables={"baselines": pl.DataFrame({"workload": ["docker:shop/api", "docker:shop/db"], "windows": [4032, 12]})},
    )


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models", key=KEY)


@pytest.fixture
def version(registry: Registry) -> str:
    return registry.save(artefact(), created_at=NIGHT)


def test_saved_model_loads_as_it_was(registry: Registry, version: str) -> None:
    """Manifest, arrays and tables come back equal, types included."""
    again, before = registry.load(version), artefact()
    assert again.manifest == before.manifest
    assert again.arrays.keys() == before.arrays.keys()
    for name, array in before.arrays["forest"].items():
        assert again.arrays["forest"][name].dtype == array.dtype
        assert (again.arrays["forest"][name] == array).all()
    assert_frame_equal(again.tables["baselines"], before.tables["baselines"])


def test_version_names_time_and_content(registry: Registry, version: str) -> None:
    """A version is its second in UTC and four digits of its content's hash."""
    assert version.startswith("2026-09-14T02:00:00Z-")
    assert len(version) == 25
    elsewhere = NIGHT.astimezone(timezone(timedelta(hours=9)))
    assert Registry(registry.root.with_name("other"), key=KEY).save(artefact(), created_at=elsewhere) == version


def test_same_content_in_the_same_second_gets_more_digits(registry: Registry, version: str) -> None:
    """A second save does not touch the first one."""
    again = registry.save(artefact(), created_at=NIGHT)
    assert again != version
    assert again.startswith(version)
    assert registry.load(again).manifest == registry.load(version).manifest


def test_same_content_gives_the_same_bytes(registry: Registry, version: str) -> None:
    """Only version and creation time differ between two saves of one artefact."""
    later = registry.save(artefact(), created_at=NIGHT + timedelta(days=1))
    for path in (registry.root / version).iterdir():
        if path.name not in {"manifest.json", "manifest.sig"}:
            assert path.read_bytes() == (registry.root / later / path.name).read_bytes()
    one, two = (json.loads((registry.root / name / "manifest.json").read_bytes()) for name in (version, later))
    assert {name for name in one if one[name] != two[name]} == {"version", "created_at"}


def test_bytes_do_not_depend_on_memory_layout(registry: Registry, version: str) -> None:
    """A table in several chunks and an array in another memory order are stored alike."""
    chunked = artefact()
    table = chunked.tables["baselines"]
    chunked.tables["baselines"] = pl.concat([table[:1], table[1:]], rechunk=False)
    assert registry.save(chunked, created_at=NIGHT).startswith(version)


def test_manifest_tells_files_and_libraries(registry: Registry, version: str) -> None:
    """The manifest holds the model's own entries, its version and what it was made with."""
    manifest = registry.manifest(version)
    assert manifest["version"] == version
    assert manifest["created_at"] == "2026-09-14T02:00:00Z"
    assert manifest["features"] == ["network.new_destination"]
    assert set(manifest["files"]) == {"forest.npz", "baselines.parquet"}
    assert {"numpy", "polars", "scikit-learn"} <= set(manifest["libraries"])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["forest.npz", "baselines.parquet", "manifest.json", "manifest.sig"])
def test_one_changed_bit_is_refused(registry: Registry, version: str, name: str) -> None:
    """Any file that differs from what was signed stops the load."""
    flip(registry.root / version / name)
    with pytest.raises(ArtefactError, match=version):
        registry.load(version)


@pytest.mark.parametrize("name", ["forest.npz", "baselines.parquet", "manifest.json", "manifest.sig"])
@pytest.mark.parametrize("data", [b"", b"x" * 100_000])
def test_file_of_another_size_is_refused(registry: Registry, version: str, name: str, data: bytes) -> None:
    """A truncated or grown file stops the load."""
    (registry.root / version / name).write_bytes(data)
    with pytest.raises(ArtefactError, match=version):
        registry.load(version)


@pytest.mark.parametrize("name", ["forest.npz", "baselines.parquet", "manifest.json", "manifest.sig"])
def test_missing_and_linked_files_are_refused(registry: Registry, version: str, name: str) -> None:
    """A file that is gone, or is a link to the right bytes elsewhere, stops the load."""
    path = registry.root / version / name
    moved = registry.root.parent / name
    shutil.move(path, moved)
    with pytest.raises(ArtefactError, match="cannot be read"):
        registry.load(version)
    path.symlink_to(moved)
    with pytest.raises(ArtefactError, match="cannot be read"):
        registry.load(version)


def test_unlisted_file_is_refused(registry: Registry, version: str) -> None:
    """A file that nobody signed stops the load, even though it would not be read."""
    (registry.root / version / "extra.npz").write_bytes(b"")
    with pytest.raises(ArtefactError, match=r"extra\.npz was not signed"):
        registry.load(version)


def test_manifest_is_not_parsed_before_its_signature(registry: Registry, version: str) -> None:
    """Unsigned bytes that no parser could read give the message about the key, not about the bytes."""
    (registry.root / version / "manifest.json").write_bytes(b"\xff{")
    with pytest.raises(ArtefactError, match="not signed by a trusted key"):
        registry.load(version)


def test_unknown_signer_is_refused_until_trusted(registry: Registry, version: str) -> None:
    """Another registry loads the version only when it trusts the key that signed it."""
    with pytest.raises(ArtefactError, match="not signed by a trusted key"):
        Registry(registry.root, key=OTHER).load(version)
    with pytest.raises(ArtefactError, match="not signed by a trusted key"):
        Registry(registry.root).load(version)
    assert Registry(registry.root, trusted=[OTHER.public_key(), KEY.public_key()]).load(version).manifest["seed"] == 0


def test_renamed_version_is_refused(registry: Registry, version: str) -> None:
    """A signed directory under another name is not that other version."""
    other = version.replace("2026", "2027")
    (registry.root / version).rename(registry.root / other)
    with pytest.raises(ArtefactError, match="belongs to"):
        registry.load(other)


@pytest.mark.parametrize(
    "files",
    [
        {"../outside.npz": {"bytes": 1, "sha256": "0" * 64}},
        {"/etc/passwd": {"bytes": 1, "sha256": "0" * 64}},
        {"forest.pkl": {"bytes": 1, "sha256": "0" * 64}},
        {"forest.npz": {"bytes": -1, "sha256": "0" * 64}},
        {"forest.npz": {"bytes": 2**60, "sha256": "0" * 64}},
        {"forest.npz": {"bytes": 1}},
        {"forest.npz": None},
        [],
        None,
    ],
)
def test_signed_nonsense_is_refused(registry: Registry, version: str, files: object) -> None:
    """Even a trusted signature does not lead outside the directory or to a format that is not read."""
    path = registry.root / version / "manifest.json"
    data = json.dumps(json.loads(path.read_bytes()) | {"files": files}).encode()
    path.write_bytes(data)
    path.with_name("manifest.sig").write_bytes(KEY.sign(data))
    with pytest.raises(ArtefactError, match="makes no sense"):
        registry.load(version)


@pytest.mark.parametrize("name", ["../secrets", "", "2026-09-14T02:00:00Z-ffff", "2026-09-14T02:00:00Z-3f9c/.."])
def test_unknown_version_is_refused(registry: Registry, name: str) -> None:
    """A name that is no version, or of no version, is one clear line."""
    registry.save(artefact(), created_at=NIGHT)
    for ask in (registry.load, registry.manifest, registry.promote, registry.challenge):
        with pytest.raises(ArtefactError, match="there is no model"):
            ask(name)


def test_objects_and_odd_names_are_not_saved(registry: Registry) -> None:
    """Python objects and names that could be paths never reach the disk."""
    bad = artefact()
    bad.arrays["forest"]["hook"] = np.array([print], object)
    with pytest.raises(ArtefactError, match="Python objects"):
        registry.save(bad, created_at=NIGHT)
    with pytest.raises(ArtefactError, match="cannot name a file"):
        registry.save(Artefact({}, {"../forest": {}}, {}), created_at=NIGHT)
    assert registry.versions() == []


def test_saving_needs_a_key(tmp_path: Path) -> None:
    """Without a key nothing is written."""
    with pytest.raises(ArtefactError, match="signing key"):
        Registry(tmp_path / "models").save(artefact(), created_at=NIGHT)
    assert not (tmp_path / "models").exists()


def test_failed_save_leaves_nothing(registry: Registry, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that dies while writing leaves neither a version nor a draft."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.artefact_files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        registry.save(artefact(1), created_at=NIGHT)
    assert [path.name for path in registry.root.iterdir()] == [version]


def test_promote_and_rollback_walk_the_history(registry: Registry) -> None:
    """Champions follow each other; rollback goes back one at a time and stops at the first."""
    assert registry.champion() is None
    one, two, three = (registry.save(artefact(i), created_at=NIGHT + timedelta(days=i)) for i in range(3))
    for version in (one, two, two, three):
        registry.promote(version)
        assert registry.champion() == version
    assert registry.rollback() == two
    assert registry.rollback() == one
    assert registry.champion() == one
    with pytest.raises(ArtefactError, match="no earlier champion"):
        registry.rollback()
    registry.promote(three)
    assert registry.rollback() == one


def test_champion_stays_when_the_earlier_one_is_spoilt(registry: Registry) -> None:
    """Rollback does not point at a version that cannot be trusted."""
    one, two = (registry.save(artefact(i), created_at=NIGHT + timedelta(days=i)) for i in range(2))
    registry.promote(one)
    registry.promote(two)
    flip(registry.root / one / "manifest.json")
    with pytest.raises(ArtefactError, match=one):
        registry.rollback()
    with pytest.raises(ArtefactError, match=one):
        registry.promote(one)
    assert registry.champion() == two


def test_promoted_challenger_is_challenger_no_more(registry: Registry, version: str) -> None:
    """A challenger stands beside the champion until it is promoted or withdrawn."""
    registry.challenge(version)
    assert (registry.challenger(), registry.champion()) == (version, None)
    registry.promote(version)
    assert (registry.challenger(), registry.champion()) == (None, version)
    registry.challenge(version)
    registry.withdraw()
    assert registry.challenger() is None


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"history": "x"}', b'{"history": ["../x"]}', b'{"history": [1]}']
)
def test_spoilt_pointer_says_what_to_do(registry: Registry, version: str, data: bytes) -> None:
    """A pointer that names no versions is one clear line, not a guess."""
    registry.promote(version)
    (registry.root / "champion.json").write_bytes(data)
    with pytest.raises(ArtefactError, match=r"delete it and promote a version"):
        registry.champion()


def test_versions_are_listed_newest_first(registry: Registry, version: str) -> None:
    """Summaries carry role, size and the manifest's plain values; a spoilt version is listed with its error."""
    assert Registry(registry.root.with_name("nothing")).versions() == []
    later = registry.save(artefact(1), created_at=NIGHT + timedelta(days=1))
    last = registry.save(artefact(2), created_at=NIGHT + timedelta(days=2))
    registry.promote(version)
    registry.challenge(later)
    flip(registry.root / last / "manifest.json")
    rows = registry.versions()
    assert [row["version"] for row in rows] == [last, later, version]
    assert [row["role"] for row in rows] == ["", "challenger", "champion"]
    assert "not signed" in rows[0]["error"]
    assert rows[2]["seed"] == 0
    assert rows[2]["name"] == "fleet"
    assert rows[2]["bytes"] == sum(file["bytes"] for file in registry.manifest(version)["files"].values())
