"""Syslog: a message as CEF within RFC 5424, over UDP, TCP or TLS."""

import os
import socket
import ssl
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from models.scores import Severity
from service.outputs import cef
from service.outputs.certificates import cause, trusting
from service.outputs.errors import DeliveryError
from service.outputs.notices import Notice
from service.outputs.output import Output, Surroundings

TIMEOUT = 10.0  # seconds
LINGER = 3.0  # seconds to wait for the receiver to have read everything
MOST_DATAGRAM = 8_192  # bytes; many receivers cut longer ones off
AUTHPRIV = 10
SEVERITIES: dict[Severity, int] = {"none": 6, "low": 5, "medium": 4, "high": 3, "critical": 2}
INFORMATIONAL = 6

Facility = Annotated[int, msgspec.Meta(ge=0, le=23)]


class Syslog(Output, frozen=True, kw_only=True, tag="syslog"):
    """Sends to a syslog receiver at `address`, `host:port`.

    `ca_file` is a PEM file of the only authorities to trust for TLS, in place of the machine's. `facility` is a number
    of RFC 5424, table 1; 10 is security and authorisation.
    """

    address: str
    protocol: Literal["udp", "tcp", "tls"] = "tls"
    ca_file: str | None = None
    facility: Facility = AUTHPRIV

    def __post_init__(self) -> None:
        """Refuse what is no address."""
        try:
            place = _place(self.address)
        except ValueError:
            place = None
        if place is None:
            raise ValueError("the address must read host:port, such as siem.example:6514")
        if self.ca_file is not None and self.protocol != "tls":
            raise ValueError("ca_file is for the protocol tls")

    def send(self, notice: Notice, surroundings: Surroundings) -> None:
        """Send the message; over UDP nobody knows whether it arrived."""
        del surroundings
        host, port = _place(self.address) or ("", 0)
        frame = record(notice, self.facility, socket.gethostname(), os.getpid())
        try:
            if self.protocol == "udp":
                _send_datagram(frame, host, port)
            else:
                _send_stream(frame, host, port, trusting(self.ca_file) if self.protocol == "tls" else None)
        except OSError as error:
            raise DeliveryError(f"cannot reach {self.address}: {cause(error)}") from error


def record(notice: Notice, facility: int, host: str, process: int) -> bytes:
    """Write a message as an RFC 5424 record, without framing: header, no structured data, CEF in UTF-8.

    No byte order mark stands before it, since receivers look for `CEF:` at the start; to RFC 5424 it is `MSG-ANY`.
    """
    severity = SEVERITIES[notice.alert.severity] if notice.open else INFORMATIONAL
    moment = notice.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    name = "".join(character for character in host if "!" <= character <= "~")[:255] or "-"
    header = f"<{facility * 8 + severity}>1 {moment} {name} wharfinger {process} {notice.event} -"
    return f"{header} {cef.line(notice)}".encode()


def _place(address: str) -> tuple[str, int] | None:
    parts = urlsplit(f"//{address}")  # brackets around an IPv6 address and all
    return (parts.hostname, parts.port) if parts.hostname and parts.port else None


def _send_datagram(frame: bytes, host: str, port: int) -> None:
    family, kind, number, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    whole = frame if len(frame) <= MOST_DATAGRAM else frame[:MOST_DATAGRAM].decode(errors="ignore").encode()
    with socket.socket(family, kind, number) as channel:
        channel.sendto(whole, place)


def _send_stream(frame: bytes, host: str, port: int, context: ssl.SSLContext | None) -> None:
    """Send one frame with octet counting (RFC 6587, 3.4.1; RFC 5425, 4.3), and see it read as far as TCP can tell."""
    with socket.create_connection((host, port), timeout=TIMEOUT) as plain:
        if context is None:
            _transmit(plain, frame)
            plain.shutdown(socket.SHUT_WR)
            _await_end(plain)
        else:
            with context.wrap_socket(plain, server_hostname=host) as channel:
                _transmit(channel, frame)
                channel.settimeout(LINGER)
                try:
                    channel.unwrap()
                except (TimeoutError, ssl.SSLError):
                    return  # the receiver ended without a farewell, as many do: what was written is with it


def _transmit(channel: socket.socket, frame: bytes) -> None:
    channel.sendall(b"%d " % len(frame) + frame)


def _await_end(channel: socket.socket) -> None:
    """Wait until the receiver closes: one that died meanwhile resets the connection, which is an error."""
    channel.settimeout(LINGER)
    try:
        while channel.recv(4_096):
            pass
    except TimeoutError:
        return
