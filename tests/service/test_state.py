from collections.abc import Callable
from typing import Any

import structlog

from service.settings import Settings
from service.state import ModelWatch
from service.wiring import Home, open_home
from tests.homes import copy_home


def a_home(settings: Settings, fleet: Any) -> Home:
    """Copy the fleet's home without its champion."""
    copy_home(fleet.settings.home, settings.home)
    (settings.home / "models/champion.json").unlink()
    return open_home(settings)


def test_a_promoted_model_is_taken_up(settings_at: Callable[..., Settings], fleet: Any) -> None:
    """The watch sees a promotion at its next look, without a restart."""
    home = a_home(settings_at(), fleet)
    watch = ModelWatch(home, 0)
    assert watch.get() is None
    home.registry.promote(fleet.version)
    detector = watch.get()
    assert detector is not None
    assert detector.version == fleet.version
    assert watch.get() is detector


def test_the_pointer_is_looked_at_once_per_interval(settings_at: Callable[..., Settings], fleet: Any) -> None:
    """Within the interval the answer does not change, so that requests do not read the disk."""
    home = a_home(settings_at(), fleet)
    watch = ModelWatch(home, 3600)
    assert watch.get() is None
    home.registry.promote(fleet.version)
    assert watch.get() is None


def test_a_broken_champion_leaves_the_old_one(settings_at: Callable[..., Settings], fleet: Any) -> None:
    """A champion that cannot be trusted is told in `problem`, and the model before goes on answering."""
    home = a_home(settings_at(), fleet)
    home.registry.promote(fleet.version)
    watch = ModelWatch(home, 0)
    before = watch.get()
    manifest = home.settings.home / "models" / fleet.version / "manifest.json"
    good = manifest.read_bytes()
    manifest.write_bytes(good.replace(b'"', b"'", 2))
    home.loaded.clear()
    with structlog.testing.capture_logs() as lines:
        assert watch.get() is before
        assert watch.get() is before
    assert watch.problem is not None
    assert [(line["event"], line["still_serving"]) for line in lines] == [("model refused", fleet.version)]
    manifest.write_bytes(good)
    assert watch.get() is not None
    assert watch.problem is None
