"""Where `serve` may listen, and what must be so before it does."""

import ipaddress
import socket
import ssl
from datetime import UTC, datetime

from service.access.gate import provider_of
from service.access.keys import KeyStore
from service.settings import Settings, SettingsError
from service.wiring import open_home


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def callers_are_known(settings: Settings, keys: KeyStore, now: datetime) -> bool:
    """Tell whether anybody could be let in by name: by a key that opens something, or by an identity provider.

    Raises
    ------
    SettingsError
        If the settings of the identity provider are incomplete.
    """
    return provider_of(settings) is not None or any(key.state(now) == "active" for key in keys.all())


def require_keys(settings: Settings, host: str) -> None:
    """Refuse to listen where other machines reach while nobody would be asked for a key.

    Raises
    ------
    SettingsError
        If there is neither a key that opens anything nor an identity provider.
    """
    home, now = open_home(settings), datetime.now(UTC)
    known = callers_are_known(settings, home.keys, now)
    home.database.close()
    if not known:
        raise SettingsError(
            f"refusing to listen on {host} without keys, since anyone who reaches it could use it; "
            "run: wharfinger keys create NAME --scope read"
        )


def require_certificate(settings: Settings) -> None:
    """Refuse a certificate that cannot be served with.

    Raises
    ------
    SettingsError
        If it or its key is missing, unreadable, or they do not belong together.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if bool(certificate) != bool(key):
        raise SettingsError("tls_certificate and tls_key belong together; set both or none")
    if certificate:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"cannot serve with tls_certificate and tls_key: {error.strerror or error}") from None


def require_free(host: str, port: int) -> None:
    """Find out early, and say plainly, that the address cannot be listened on.

    Raises
    ------
    SettingsError
        If it is in use or not permitted.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host} port {port}: {error.strerror}; choose another --port"
            ) from None
