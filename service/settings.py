"""Settings: each declared once, read from the environment, then from `wharfinger.toml`."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from service import setting_checks as checks
from service.setting_values import SettingsError, from_text, from_toml

PREFIX = "WHARFINGER_"
FILE = "wharfinger.toml"
OUTPUTS = "outputs"

__all__ = ["FILE", "OUTPUTS", "PREFIX", "Settings", "SettingsError", "declared"]


def _setting(
    default: Any,  # noqa: ANN401 -- of the field's type
    meaning: str,
    check: Callable[[Any], str | None] = lambda _: None,
    *,
    secret: bool = False,
    variable: str = "",
) -> Any:  # noqa: ANN401 -- stands for a field of any type
    """Declare a setting; a secret one is never shown, and `variable` is an unprefixed one that others use as well."""
    told = {"help": meaning, "check": check, "secret": secret, "variable": variable}
    return field(default=default, repr=not secret, metadata=told)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator can choose; `docs/settings.md` is generated from these declarations."""

    home: Path
    lake: str = _setting(
        "",
        "Where events lie: a directory, or `s3://BUCKET/PREFIX` (see [lake.md](lake.md)). Empty: `lake` in the home.",
        checks.place,
    )
    internal_cidrs: tuple[str, ...] = _setting(
        (),
        "Networks of your own beside the private ranges, comma-separated. Addresses in them count as internal, and "
        "those that no container leased become workloads `ip:<address>`.",
        checks.networks,
    )
    alert_budget: float = _setting(
        1.0,
        "False alerts a day that you accept for the whole fleet. Severities are derived from it.",
        checks.at_least(0.001, 10_000),
    )
    history_days: int = _setting(30, "Days of telemetry that `refresh` learns from.", checks.at_least(1, 3650))
    quarantine_days: float = _setting(
        14.0,
        "Days that what made a window strange is kept out of baselines, unless a person clears it. 0 learns at once.",
        checks.at_least(0, 3650),
    )
    keep_network_days: int = _setting(
        0,
        "Days that flows, DNS, TLS and HTTP stay in the lake, back from its latest event; 0 keeps them for ever.",
        checks.at_least(0, 36_500),
    )
    keep_system_days: int = _setting(
        0,
        "Days that pulls, container lives, configurations and audit events stay in the lake; 0 keeps them for ever. "
        "Traffic finds its workload through them: keep them for longer than the traffic.",
        checks.at_least(0, 36_500),
    )
    keep_application_days: int = _setting(
        0, "Days that logs and other tools' alerts stay in the lake; 0 keeps them for ever.", checks.at_least(0, 36_500)
    )
    database_url: str = _setting(
        "",
        "Where scores and verdicts are stored: `postgresql://USER:PASSWORD@HOST/NAME`, or `sqlite:///FILE`; empty is "
        "`wharfinger.db` in the home directory. `DATABASE_URL` is taken where neither names one.",
        checks.database,
        secret=True,
        variable="DATABASE_URL",
    )
    keep_scores_days: int = _setting(
        0, "Days that scores stay stored, back from the latest; 0 keeps them for ever.", checks.at_least(0, 36_500)
    )
    audit_days: int = _setting(
        365, "Days that rows of the audit log stay stored; 0 keeps them for ever.", checks.at_least(0, 36_500)
    )
    spool_bytes: int = _setting(
        256 * 2**20,
        "Bytes of accepted events that may wait to be taken into the lake; beyond that, intake answers 503.",
        checks.at_least(2**20, 2**40),
    )
    score_seconds: float = _setting(
        5.0,
        "How often `serve` takes accepted events into the lake and looks for closed windows, in seconds; 0 leaves both "
        "to other servers of the home.",
        checks.at_least(0, 3600),
    )
    lateness_seconds: float = _setting(
        120.0,
        "How much later than others of its source an event may come before its window closes, and how far a clock may "
        "run ahead, in seconds.",
        checks.at_least(0, 86_400),
    )
    idle_source_seconds: float = _setting(
        600.0, "For how long windows wait for a source that fell silent, in seconds.", checks.at_least(0, 86_400)
    )
    reopen_seconds: float = _setting(
        3600.0,
        "For how long after its first scoring a window is scored again when events come for it, in seconds.",
        checks.at_least(0, 30 * 86_400),
    )
    executor: str = _setting(
        "local",
        "Where heavy work runs: `local` (processes on all cores of this machine), `threads` (of one) or `dask`.",
        checks.one_of("local", "threads", "dask"),
    )
    scheduler: str = _setting("", "Address of the Dask scheduler, such as `tcp://scheduler:8786`.")
    jobs: int = _setting(
        0, "Processes that heavy work may use on this machine; 0 uses every core.", checks.at_least(0, 1024)
    )
    listen_host: str = _setting("127.0.0.1", "Address that `serve` listens on; beyond loopback, keys must exist.")
    allowed_hosts: tuple[str, ...] = _setting(
        ("localhost", "127.0.0.1", "[::1]"),
        "Names that requests may give as their `Host`; others are refused, so that no web site can reach the service "
        "through a browser's DNS. Add the public name when a reverse proxy stands in front.",
    )
    listen_port: int = _setting(8080, "Port that `serve` listens on.", checks.at_least(0, 65535))
    web_workers: int = _setting(2, "Web worker processes of `serve`.", checks.at_least(1, 64))
    web_threads: int = _setting(8, "Threads of each web worker.", checks.at_least(1, 256))
    max_body_bytes: int = _setting(
        16 * 2**20, "Largest request body, in bytes, as sent (compressed or not).", checks.at_least(1024, 2**31)
    )
    max_inflated_bytes: int = _setting(
        64 * 2**20, "Largest request body, in bytes, after gzip is inflated.", checks.at_least(1024, 2**31)
    )
    model_poll_seconds: float = _setting(
        2.0, "How often a web worker looks for a newly promoted model, in seconds.", checks.at_least(0.0, 3600)
    )
    public_url: str = _setting(
        "",
        "Address under which people open the dashboard, such as `https://wharfinger.example`; messages to outputs link "
        "to it.",
        checks.address,
    )
    requests_per_second: float = _setting(
        500.0,
        "Requests a second that each key, or each address where no key is asked for, may make of each web worker; "
        "0 sets no limit.",
        checks.at_least(0, 1e6),
    )
    request_burst: int = _setting(
        1000, "Requests that may come at once before `requests_per_second` holds.", checks.at_least(1, 1_000_000)
    )
    session_hours: float = _setting(
        12.0, "Hours after which the dashboard asks for a key again.", checks.at_least(0.1, 720)
    )
    tls_certificate: str = _setting("", "File with the certificate chain (PEM) that `serve` shows; needs `tls_key`.")
    tls_key: str = _setting("", "File with the certificate's key (PEM).")
    trusted_proxies: int = _setting(
        0,
        "Reverse proxies in front, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; the outermost must "
        "discard what clients send of them.",
        checks.at_least(0, 10),
    )
    oidc_issuer: str = _setting("", "Issuer of OpenID Connect tokens that are accepted as bearer tokens, as `iss`.")
    oidc_audience: str = _setting("", "What their `aud` must name.")
    oidc_jwks_url: str = _setting("", "Where the issuer publishes its keys, https.", checks.keys_url)
    oidc_scope_claim: str = _setting("scope", "Claim that says what the caller may do; dots lead into claims.")
    oidc_scopes: tuple[str, ...] = _setting(
        (),
        "Which scope each value of the claim gives, as `VALUE=SCOPE`; else `wharfinger:read` gives `read`, and so on.",
    )
    oidc_client_id: str = _setting(
        "", "Client that the issuer knows the dashboard as; with it, people may log in there, besides with a key."
    )
    oidc_client_secret: str = _setting("", "The client's secret; none for a public client.", secret=True)
    oidc_client_secret_file: str = _setting("", "File with the client's secret, in place of `oidc_client_secret`.")
    oidc_login_scope: str = _setting("openid", "What the log-in asks the issuer for, with spaces; `openid` among it.")
    log_level: str = _setting(
        "info",
        "Least severe log line written: debug, info, warning or error.",
        checks.one_of("debug", "info", "warning", "error"),
    )
    outputs: tuple[Mapping[str, Any], ...] = ()  # tables, which `service.outputs` reads; not from the environment

    @classmethod
    def load(cls, home: Path | None, environ: Mapping[str, str]) -> "Settings":
        """Read the settings: the environment first, then `wharfinger.toml` in the home directory, then defaults.

        Parameters
        ----------
        home
            Home directory; if None, `WHARFINGER_HOME`, else the platform's user data directory.
        environ
            Environment variables. Ones that name no setting are left alone: Kubernetes injects `<SERVICE>_PORT` and
            the like for a service called wharfinger.

        Raises
        ------
        SettingsError
            If the file cannot be read, names an unknown setting, or a value is not acceptable.
        """
        place = home or Path(environ.get(PREFIX + "HOME") or platformdirs.user_data_path("wharfinger"))
        place = place.expanduser().absolute()
        written = _read_file(place / FILE)
        values: dict[str, Any] = {}
        for item in declared():
            variable = PREFIX + item.name.upper()
            if variable in environ:
                values[item.name] = _check(item, variable, from_text(item.type, variable, environ[variable]))
            elif item.name in written:
                where = f"{item.name} in {place / FILE}"
                values[item.name] = _check(item, where, from_toml(item.type, where, written[item.name]))
            elif item.metadata["variable"] in environ:
                variable = item.metadata["variable"]
                values[item.name] = _check(item, variable, from_text(item.type, variable, environ[variable]))
        return cls(home=place, outputs=_tables(written.get(OUTPUTS, []), place / FILE), **values)


def declared() -> list[Any]:
    """List the declarations (dataclass fields with `name`, `type`, `default` and a help text) of every setting."""
    return [item for item in fields(Settings) if "help" in item.metadata]


def _read_file(path: Path) -> dict[str, Any]:
    try:
        written = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    if unknown := sorted(written.keys() - {item.name for item in declared()} - {OUTPUTS}):
        raise SettingsError(
            f"{path} names unknown settings: {', '.join(unknown)}; docs/settings.md lists those there are"
        )
    return written


def _tables(value: Any, path: Path) -> tuple[Mapping[str, Any], ...]:  # noqa: ANN401 -- whatever the file holds
    if isinstance(value, list) and all(isinstance(table, dict) for table in value):
        return tuple(value)
    raise SettingsError(f"outputs in {path} are no tables; begin each with [[outputs]] (see docs/outputs.md)")


def _check(item: Any, where: str, value: Any) -> Any:  # noqa: ANN401 -- one of the types of the fields
    if complaint := item.metadata["check"](value):
        shown = "not usable" if item.metadata["secret"] else repr(value)
        raise SettingsError(f"{where} is {shown}: {complaint}")
    return value


def as_markdown() -> str:
    """Render `docs/settings.md`."""
    lines = [
        "# Settings",
        "",
        "Each setting is read from the environment, then from `wharfinger.toml` in the home directory; else its",
        "default holds. That directory is `--home`, else `WHARFINGER_HOME`, else the platform's user data directory.",
        "Where alerts are sent stands in `[[outputs]]` tables of the same file: see [Outputs](outputs.md).",
        "",
        "| `wharfinger.toml` | environment | default | meaning |",
        "|---|---|---|---|",
    ]
    for item in declared():
        default = ",".join(item.default) if isinstance(item.default, tuple) else str(item.default)
        shown = f"`{default}`" if default else "(empty)"
        lines.append(f"| `{item.name}` | `{PREFIX}{item.name.upper()}` | {shown} | {item.metadata['help']} |")
    return "\n".join([*lines, "", "This page is generated: `python -m service.settings > docs/settings.md`.", ""])


if __name__ == "__main__":
    print(as_markdown(), end="")  # noqa: T201 -- this is what the module does when run
