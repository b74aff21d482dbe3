import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import compiled_forest
from models.compiled_forest import MOST_FEATURES, MOST_NODES, CompiledForest
from models.flat_forest import MAX_FEATURES, MAX_NODES
from models.trees import Trees

STUMP = """
import numpy as np
from models.flat_forest import FlatForest
forest = FlatForest.from_arrays({
    "feature": np.array([0, -1, -1], np.int32), "threshold": np.zeros(3, np.float32),
    "samples": np.array([4, 3, 1], np.int32), "shape": np.array([1, 1, 4]),
})
"""


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", STUMP + code], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_scoring_imports_neither_scikit_learn_nor_numba() -> None:
    """Importing the flat forest and scoring a few rows loads no library that is slow to load."""
    code = "import sys; forest.score([[1.0]]); print({'sklearn', 'scipy', 'numba'} & set(sys.modules))"
    assert run(code) == "set()\n"


def test_without_numba_numpy_scores() -> None:
    """Where numba cannot be imported, nothing can be prepared, and scores are computed all the same."""
    code = """
import sys
sys.modules["numba"] = None
from models import compiled_forest
from models.compiled_forest import prepare, ready
print(prepare(), ready(), forest.score(np.ones((60_000, 1)))[0] == forest.score([[1.0]])[0])
"""
    assert run(code) == "False False True\n"


PREPARED = """
import sys
from models import compiled_forest
from models.compiled_forest import prepare, ready
before = ready()
print(before, prepare(), ready(), forest.score([[1.0]], by="numba") == forest.score([[1.0]], by="numpy"))
"""


def test_numba_works_where_it_can_keep_nothing() -> None:
    """Without any place for compiled code, each process compiles for itself; that costs time, not scores."""
    pytest.importorskip("numba")
    # the only place allowed is the one that NUMBA_CACHE_DIR would name
    nowhere = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator", "NUMBA_CACHE_DIR": ""}
    kept = "from models import forest_kernel; print(type(forest_kernel.add_path_lengths._cache).__name__)"
    assert run(PREPARED + kept, **nowhere) == "False True True [ True]\nNullCache\n"


def test_what_was_compiled_is_kept(tmp_path: Path) -> None:
    """The first process to prepare leaves compiled code for the next."""
    pytest.importorskip("numba")
    assert run(PREPARED, NUMBA_CACHE_DIR=str(tmp_path)) == "False True True [ True]\n"
    assert list(tmp_path.rglob("*.nbc"))


def test_many_rows_are_worth_loading_numba_for() -> None:
    """Without being prepared, a large batch loads the kernel and a small one does not."""
    pytest.importorskip("numba")
    code = """
from models import compiled_forest
from models.compiled_forest import ready
from models.flat_forest import WORTH_LOADING
forest.score(np.ones((WORTH_LOADING - 1, 1)))
print(ready())
forest.score(np.ones((WORTH_LOADING, 1)))
print(ready())
"""
    assert run(code) == "False\nTrue\n"


def test_every_stored_forest_can_be_packed() -> None:
    """The limits of stored forests lie within those of a packed node."""
    assert MAX_NODES <= MOST_NODES
    assert MAX_FEATURES <= MOST_FEATURES


def test_nodes_are_read_as_they_are_packed() -> None:
    """The kernel, which loads only with numba, divides a node where the packing does."""
    kernel = pytest.importorskip("models.forest_kernel", exc_type=ImportError)
    assert kernel.LEAF == compiled_forest.LEAF
    assert kernel.KEY == compiled_forest.KEY_BITS
    assert kernel.NODE_BITS == compiled_forest.FEATURE_SHIFT
    assert 2**kernel.NODE_BITS == MOST_NODES
    assert 2**kernel.FEATURE_BITS == MOST_FEATURES


def test_a_forest_too_large_to_pack_is_refused() -> None:
    """A column that twelve bits cannot name is refused and not taken for another."""
    feature = np.array([MOST_FEATURES, -1, -1], np.int32)
    trees = Trees(1, feature, np.zeros(3, np.float32), np.array([2, 1, 1], np.int32))
    with pytest.raises(ValueError, match="can be packed"):
        CompiledForest.build(trees, np.zeros(3))
