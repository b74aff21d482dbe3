"""Syslog and CEF against rsyslog itself, of Debian's package."""

import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.outputs import cef
from service.outputs.errors import DeliveryError
from service.outputs.notices import Notice
from service.outputs.output import Surroundings
from service.outputs.syslog import Syslog
from tests.service.outputs.conftest import HOSTILE, Certificates, eventually, free_port, make_notice, require, running

PROGRAM = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NOBODY = 65534
CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriverCAFile="{folder}/authority.pem"
       defaultNetstreamDriverCertFile="{folder}/own.pem" defaultNetstreamDriverKeyFile="{folder}/own.key")
module(load="imudp") module(load="imtcp")
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imtcp" address="127.0.0.1" port="{tcp}")
input(type="imtcp" address="127.0.0.1" port="{tls}" streamDriver.name="gtls" streamDriver.mode="1"
      streamDriver.authMode="anon")
template(name="all" type="string" string="%jsonmesg%\\n")
action(type="omfile" file="{folder}/received" template="all")
"""


@dataclass
class Collector:
    """A running rsyslog: its ports by protocol, and the file that it writes."""

    ports: dict[str, int]
    file: Path

    def received(self, mark: str) -> dict[str, Any]:
        """Wait for the message that holds `mark`, and give its parts as rsyslog understood them."""
        found = eventually(lambda: [line for line in self._lines() if mark in line], f"a message with {mark}")
        told: dict[str, Any] = json.loads(found[0])
        return told

    def _lines(self) -> list[str]:
        written = self.file.read_text() if self.file.exists() else ""
        return written[: written.rfind("\n") + 1].splitlines()  # the last line may still be under way


@pytest.fixture(scope="module")
def collector(certificates: Certificates) -> Iterator[Collector]:
    """Start rsyslog as nobody, with a configuration and ports of its own."""
    driver = next(Path("/usr/lib").glob("*/rsyslog/lmnsd_gtls.so"), None)
    program = require(PROGRAM and driver and PROGRAM, "rsyslog rsyslog-gnutls")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ports = {"udp": free_port(socket.SOCK_DGRAM), "tcp": free_port(), "tls": free_port()}
        (folder / "conf").write_text(CONFIGURATION.format(folder=folder, **ports))
        for source, target in zip(
            (certificates.authority, certificates.certificate, certificates.key),
            ("authority.pem", "own.pem", "own.key"),
            strict=True,
        ):
            shutil.copy(source, folder / target)
        command = [program, "-n", "-f", f"{folder}/conf", "-i", f"{folder}/pid"]
        if os.getuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, NOBODY, NOBODY)
            command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *command]
        with running(command, Path(certificates.key.parent / "rsyslog.log")):
            eventually(lambda: _listens(ports["tcp"]), "rsyslog")
            yield Collector(ports, folder / "received")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def output(collector: Collector, protocol: str, certificates: Certificates | None = None) -> Syslog:
    trusted = {"ca_file": str(certificates.authority)} if certificates and protocol == "tls" else {}
    address = f"127.0.0.1:{collector.ports[protocol]}"
    return Syslog(name="siem", address=address, protocol=protocol, **trusted)  # type: ignore[arg-type]  # a case of the table


@pytest.mark.parametrize("protocol", ["udp", "tcp", "tls"])
def test_rsyslog_understands_every_part(
    collector: Collector, certificates: Certificates, surroundings: Surroundings, protocol: str
) -> None:
    """Over each protocol the header's fields are where RFC 5424 has them, and the message is the CEF line."""
    notice = make_notice(id=f"id-{protocol}", text=HOSTILE)

    output(collector, protocol, certificates).send(notice, surroundings)

    told = collector.received(f"id-{protocol}")
    assert told["syslogtag"] == f"wharfinger[{os.getpid()}]"
    assert (told["syslogfacility"], told["syslogseverity"]) == ("10", "3")
    assert told["timereported"].startswith("2026-09-14T10:00:00.25")
    assert told["hostname"] == socket.gethostname()
    assert told["msg"] == cef.line(notice)


def test_stream_message_is_whole_however_long(collector: Collector, surroundings: Surroundings) -> None:
    """Octet counting keeps a long message with line breaks in it together."""
    notice = make_notice(id="id-long", hosts=[f"node-{number}" for number in range(400)])

    output(collector, "tcp").send(notice, surroundings)

    assert collector.received("id-long")["msg"] == cef.line(notice)


def test_untrusted_receiver_gets_nothing(collector: Collector, notice: Notice, surroundings: Surroundings) -> None:
    """A TLS receiver whose certificate is of an unknown authority is not told of alerts."""
    with pytest.raises(DeliveryError, match="its certificate is not trusted"):
        output(collector, "tls").send(notice, surroundings)


def test_nobody_listens(notice: Notice, surroundings: Surroundings) -> None:
    """A receiver that cannot be reached is tried again."""
    with pytest.raises(DeliveryError, match="Connection refused") as refused:
        Syslog(name="siem", address=f"127.0.0.1:{free_port()}", protocol="tcp").send(notice, surroundings)
    assert not refused.value.permanent


def parse(line: str) -> tuple[list[str], dict[str, str]]:
    """Read a CEF line as the standard says: fields up to bare pipes, then keys before bare equals signs."""
    fields = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    keys = list(re.finditer(r"(?:^| )(\w+)=", fields[7]))
    ends = [key.start() for key in keys[1:]] + [len(fields[7])]
    values = {key[1]: fields[7][key.end() : end] for key, end in zip(keys, ends, strict=True)}
    undo = {"\\\\": "\\", "\\=": "=", "\\n": "\n"}
    return fields[:7], {k: re.sub(r"\\[\\=n]", lambda found: undo[found[0]], v) for k, v in values.items()}


@given(workload=st.text(min_size=1, max_size=40), why=st.text(max_size=80))
def test_cef_reads_back(workload: str, why: str) -> None:
    """Whatever stands in names and reasons, the line is one line, and a reader gets the values back."""
    notice = make_notice(why=why)
    notice = msgspec.structs.replace(notice, alert=msgspec.structs.replace(notice.alert, workload=workload))

    line = cef.line(notice)

    assert line.isprintable()
    fields, values = parse(line)
    assert (fields[0], fields[6]) == ("CEF:0", "8")
    assert values["externalId"] == "5f2b8c"
    if workload.isprintable():
        assert values["cs1"] == workload
    if why.isprintable() and why:
        assert values["reason"] == why
