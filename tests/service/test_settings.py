import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings import Settings, SettingsError, as_markdown, declared

ROOT = Path(__file__).resolve().parents[2]


def test_defaults(tmp_path: Path) -> None:
    """Without environment and file every setting has its declared default."""
    settings = Settings.load(tmp_path, {})
    assert settings.home == tmp_path
    assert settings.alert_budget == 1.0
    assert settings.internal_cidrs == ()
    assert all(getattr(settings, item.name) == item.default for item in declared())


def test_home_comes_from_argument_then_environment_then_platform(tmp_path: Path) -> None:
    """--home wins over WHARFINGER_HOME, which wins over the platform's folder."""
    environ = {"WHARFINGER_HOME": str(tmp_path / "env")}
    assert Settings.load(tmp_path / "arg", environ).home == tmp_path / "arg"
    assert Settings.load(None, environ).home == tmp_path / "env"
    assert Settings.load(None, {}).home.name == "wharfinger"


def test_environment_wins_over_file(tmp_path: Path) -> None:
    """A value in the environment hides the one in wharfinger.toml."""
    (tmp_path / "wharfinger.toml").write_text('alert_budget = 3\nhistory_days = 7\ninternal_cidrs = ["192.0.2.0/24"]\n')
    settings = Settings.load(tmp_path, {"WHARFINGER_ALERT_BUDGET": "0.5"})
    assert (settings.alert_budget, settings.history_days) == (0.5, 7)
    assert settings.internal_cidrs == ("192.0.2.0/24",)


def test_networks_are_comma_separated_in_the_environment(tmp_path: Path) -> None:
    """WHARFINGER_INTERNAL_CIDRS takes several networks."""
    settings = Settings.load(tmp_path, {"WHARFINGER_INTERNAL_CIDRS": "192.0.2.0/24, 2001:db8::/32,"})
    assert settings.internal_cidrs == ("192.0.2.0/24", "2001:db8::/32")


def test_service_links_of_kubernetes_are_left_alone(tmp_path: Path) -> None:
    """Variables that Kubernetes injects for a service called wharfinger name no setting and do no harm."""
    environ = {"WHARFINGER_PORT": "tcp://192.0.2.1:8080", "WHARFINGER_SERVICE_HOST": "192.0.2.1"}
    assert Settings.load(tmp_path, environ).listen_port == 8080


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALERT_BUDGET", "lots"),
        ("ALERT_BUDGET", "0"),
        ("ALERT_BUDGET", "nan"),
        ("LISTEN_PORT", "80.5"),
        ("LISTEN_PORT", "70000"),
        ("INTERNAL_CIDRS", "192.0.2.1/24"),
        ("EXECUTOR", "spark"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_bad_value_is_one_clear_line(tmp_path: Path, variable: str, value: str) -> None:
    """A value that a setting cannot have is an error that names the variable and the value."""
    with pytest.raises(SettingsError) as caught:
        Settings.load(tmp_path, {f"WHARFINGER_{variable}": value})
    message = str(caught.value)
    assert f"WHARFINGER_{variable}" in message
    assert value in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    ["alert_budget = ", "alert_budgte = 2", 'alert_budget = "2"', "jobs = true", "internal_cidrs = [1]", "home = 'x'"],
)
def test_bad_file_is_one_clear_line(tmp_path: Path, text: str) -> None:
    """A file that is not TOML, names an unknown setting or has a value of another type is refused by name."""
    (tmp_path / "wharfinger.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"wharfinger\.toml") as caught:
        Settings.load(tmp_path, {})
    assert "\n" not in str(caught.value)


@given(text=st.text(st.characters(blacklist_characters="\0"), max_size=20), item=st.sampled_from(declared()))
def test_any_text_is_a_setting_or_a_clear_error(text: str, item: dataclasses.Field[object]) -> None:
    """Whatever stands in a variable, loading gives settings or a SettingsError."""
    try:
        settings = Settings.load(Path("/nonexistent"), {f"WHARFINGER_{item.name.upper()}": text})
    except SettingsError:
        return
    assert isinstance(getattr(settings, item.name), type(item.default))


def test_the_address_of_the_database_may_come_from_where_others_read_it(tmp_path: Path) -> None:
    """DATABASE_URL is taken when neither the environment nor the file names a database of ours."""
    shared, own = {"DATABASE_URL": "postgres://db/shared"}, {"WHARFINGER_DATABASE_URL": "postgresql://db/own"}
    assert Settings.load(tmp_path, shared).database_url == "postgres://db/shared"
    assert Settings.load(tmp_path, shared | own).database_url == "postgresql://db/own"
    (tmp_path / "wharfinger.toml").write_text('database_url = "sqlite:///other.db"')
    assert Settings.load(tmp_path, shared).database_url == "sqlite:///other.db"


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    """Neither settings that are printed nor the complaint about an address repeat the password in it."""
    assert "hunter2" not in repr(Settings.load(tmp_path, {"DATABASE_URL": "postgresql://me:hunter2@db/w"}))
    with pytest.raises(SettingsError, match="WHARFINGER_DATABASE_URL") as caught:
        Settings.load(tmp_path, {"WHARFINGER_DATABASE_URL": "mysql://me:hunter2@db/w"})
    assert "hunter2" not in str(caught.value)


def test_the_page_of_settings_is_current() -> None:
    """docs/settings.md is what the declarations render."""
    assert (ROOT / "docs/settings.md").read_text("utf-8") == as_markdown()
