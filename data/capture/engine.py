"""Start and stop a Docker Engine of our own: private socket, private folders, no change to the host's firewall."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from service.emulation.live.api import EventStream, request

NEEDED = {
    "dockerd": "docker.io",
    "containerd": "docker.io",
    "runc": "docker.io",
    "docker-registry": "docker-registry",
    "iptables": "iptables",
    "unshare": "util-linux",
    "setpriv": "util-linux",
}
STATIC_BUSYBOX = Path("/bin/busybox")
START_SECONDS = 30.0


def missing_requirements() -> list[str]:
    """Return what keeps the range from starting here, in words, empty when nothing does."""
    if os.geteuid() != 0:
        return ["not root"]
    missing = [f"no {name} (Debian: {package})" for name, package in NEEDED.items() if shutil.which(name) is None]
    if docker_client() is None:
        missing.append("no docker client (Debian: docker.io)")
    if not STATIC_BUSYBOX.exists():
        missing.append("no /bin/busybox (Debian: busybox-static)")
    return missing


def docker_client() -> str | None:
    """Return the client to use: Debian's own, which fits its daemon, before any other on the path."""
    own = Path("/usr/bin/docker")
    return str(own) if own.exists() else shutil.which("docker")


class Engine:
    """A private Docker Engine; use it as a context manager.

    The daemon runs in a mount namespace of its own, so its mounts and its `/etc/hosts` vanish with it. It sets no
    firewall rule. It gets SIGTERM from the kernel if the thread that started it dies.

    Parameters
    ----------
    folder
        Where the data root, the log and the pid file go. The socket lies in a short temporary folder, because a
        socket path may have 107 bytes at most.
    hosts
        Names to add to `/etc/hosts` as the daemon sees it, for registries with names of their own.
    """

    def __init__(self, folder: Path, hosts: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.hosts = hosts or {}
        self.short = Path(tempfile.mkdtemp(prefix="range-", dir="/tmp"))
        self.socket = self.short / "docker.sock"
        self.log = folder / "dockerd.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.events: list[dict[str, Any]] = []
        self._stream: EventStream | None = None
        self._changed = threading.Condition()
        self._bridges: list[str] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the daemon and wait until it answers, then record its events into `self.events`.

        Raises
        ------
        RuntimeError
            If the daemon ends or does not answer within 30 seconds; the message holds the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dockerd did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        self._stream = EventStream(self.socket, self._on_event)
        self._stream.start()

    def _command(self) -> list[str]:
        hosts = self.short / "hosts"
        lines = [f"{address} {name}\n" for name, address in self.hosts.items()]
        hosts.write_text(Path("/etc/hosts").read_text() + "".join(lines))
        daemon = [
            "dockerd", "--data-root", str(self.folder / "root"), "--exec-root", str(self.short / "exec"),
            "-H", f"unix://{self.socket}", "-p", str(self.short / "pid"), "--bridge=none", "--iptables=false",
            "--ip-forward=false", "--ip-masq=false", "--insecure-registry", "127.0.0.0/8",
        ]  # fmt: skip
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        private = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, str(hosts)]
        return ["setpriv", "--pdeathsig", "TERM", *private, *daemon]

    def _answers(self) -> bool:
        try:
            request(self.socket, "GET", "/_ping", timeout=5)
        except (OSError, RuntimeError):
            return False
        return True

    def _on_event(self, event: dict[str, Any]) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def docker(self, *args: str, check: bool = True, timeout: float = 120.0, stdin: bytes | None = None) -> str:
        """Run the docker client against this engine and return what it prints, stripped.

        Raises
        ------
        RuntimeError
            If the client fails and `check` is set; the message holds its standard error.
        subprocess.TimeoutExpired
            If it takes longer than `timeout` seconds.
        """
        command = [docker_client() or "docker", "-H", f"unix://{self.socket}", *args]
        environment = {**os.environ, "DOCKER_BUILDKIT": "0", "DOCKER_CONFIG": str(self.short / "client")}
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False, env=environment)
        if check and done.returncode != 0:
            raise RuntimeError(f"docker {' '.join(args)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace").strip()

    def inspect(self, container: str) -> dict[str, Any]:
        """Return one object of `docker inspect`; `LookupError` if there is no such container."""
        found: dict[str, Any] = request(self.socket, "GET", f"/containers/{container}/json")
        return found

    def events_since(self, mark: int = 0) -> list[dict[str, Any]]:
        """Return a copy of the events recorded after the first `mark` of them."""
        with self._changed:
            return self.events[mark:]

    def wait_for(self, action: str, mark: int = 0, timeout: float = 10.0) -> dict[str, Any]:
        """Return the first event after `mark` whose action starts with `action`; `TimeoutError` if none comes."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                found = next((e for e in self.events[mark:] if str(e["Action"]).startswith(action)), None)
                if found is not None:
                    return found
                if not self._changed.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    raise TimeoutError(f"no event {action!r} within {timeout} s")

    def network(self, name: str, subnet: str, bridge: str) -> None:
        """Create an internal network on a named bridge and let the bridge carry its own traffic."""
        _forget(bridge)  # a run that was killed may have left it behind
        option = f"com.docker.network.bridge.name={bridge}"
        self.docker("network", "create", "--internal", "--subnet", subnet, "-o", option, name)
        self._bridges.append(bridge)
        _firewall("-I", bridge)

    def pid(self, container: str) -> int:
        """Return the host's process id of a running container's first process."""
        return int(self.inspect(container)["State"]["Pid"])

    def stop(self) -> None:
        """Remove every container and network, end the daemon and delete its folders, whatever state it is in."""
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.stop()
        if self.process is not None:
            with contextlib.suppress(OSError, RuntimeError, LookupError):
                self._remove_everything()
            _end(self.process)
        for bridge in self._bridges:
            _forget(bridge)
        self._bridges.clear()
        shutil.rmtree(self.short, ignore_errors=True)
        shutil.rmtree(self.folder / "root", ignore_errors=True)

    def _remove_everything(self) -> None:
        for container in request(self.socket, "GET", "/containers/json?all=1"):
            with contextlib.suppress(LookupError, RuntimeError):
                request(self.socket, "DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for network in request(self.socket, "GET", "/networks"):
            if network["Name"] not in {"none", "host", "bridge"}:
                with contextlib.suppress(LookupError, RuntimeError):
                    request(self.socket, "DELETE", f"/networks/{network['Id']}")


def _firewall(operation: str, bridge: str) -> None:
    # Where another daemon left the FORWARD policy at DROP, bridged packets are dropped too unless told otherwise.
    _quiet("iptables", operation, "FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT")


def _forget(bridge: str) -> None:
    _firewall("-D", bridge)
    _quiet("ip", "link", "delete", bridge)


def _quiet(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=False)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
