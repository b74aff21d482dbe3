"""Shell that speaks over the network as the steps say: busybox's wget, nc, ping and nslookup, openssl for TLS.

What is sent is zeros, random bytes or fixed words: the form of an attack, never its content.
"""

from collections.abc import Sequence
from shlex import quote

AGENTS = {
    "curl": "curl/7.58.0",
    "wget": "Wget/1.21",
    "python": "python-urllib/3.9",
    "go": "Go-http-client/1.1",
    "browser": "Mozilla/5.0 (Windows NT 6.3; Trident/7.0; rv:11.0) like Gecko",
    "victim": "shop/1.4",
    "none": "",
}
PATIENCE = 15
"""Seconds after which a stuck request is given up."""
LONGEST_HEADER = 4000
SPOKEN = {
    "ssh": "SSH-2.0-OpenSSH_9.2\\r\\n",
    "http": "GET / HTTP/1.1\\r\\nHost: a.example\\r\\n\\r\\n",
    "stratum": '{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"emulation"}}\\n',
}


def wrapped(words: str, before: float, script: str) -> str:
    """Run something in the background after a while."""
    return f"# {words}\n(sleep {before:.3f}\n{script}\n) &\n"


def repeated(turn: str, waits: Sequence[float]) -> str:
    """Do something once, and again after each of the waits."""
    again = f"\nfor wait in {' '.join(f'{wait:g}' for wait in waits)}; do sleep $wait; turn; done" if waits else ""
    return f"turn() {{ {turn}; }}\nturn{again}"


def padding(sent: float, used: int) -> str:
    """Return a header that makes a request about as long as it should be; a header has its limits."""
    size = min(int(sent) - used, LONGEST_HEADER)
    return f"Cookie: s={'A' * size}" if size > 0 else ""


def http(address: str, *, host: str, uri: str, agent: str, referrer: str, sent: float) -> str:
    """Fetch over plain HTTP."""
    extra = [f"Referer: {referrer}"] if referrer else []
    used = len(address) + len(uri) + len(agent) + sum(map(len, extra)) + 60
    extra += [header] if (header := padding(sent, used)) else []
    if host:
        extra.append(f"Host: {host}")
    headers = " ".join(f"--header {quote(line)}" for line in extra)
    agents = f"-U {quote(agent)} " if agent else ""
    return f"timeout {PATIENCE} wget -q -O /dev/null {agents}{headers} {quote(f'http://{address}{uri}')}"


def tls(address: str, *, sni: str, uri: str, agent: str, referrer: str, sent: float) -> str:
    """Fetch over TLS, with a name of choice in the hello."""
    lines = [f"GET {uri} HTTP/1.1", f"Host: {sni or address}", "Connection: close"]
    lines += [f"User-Agent: {agent}"] if agent else []
    lines += [f"Referer: {referrer}"] if referrer else []
    lines += [header] if (header := padding(sent, sum(map(len, lines)) + 12)) else []
    request = "".join(f"{line}\\r\\n" for line in lines) + "\\r\\n"
    return f"printf {quote(request)} | {_client(address, sni)} >/dev/null 2>&1"


def upload(address: str, *, sni: str, size: int, seconds: float) -> str:
    """Send zeros inside TLS, in ten parts over some seconds."""
    part, rest = size // 10, seconds / 10
    source = f"(n=0; while [ $n -lt 10 ]; do head -c {part} /dev/zero; sleep {rest:.2f}; n=$((n+1)); done)"
    patience = int(seconds) + PATIENCE
    return f"{source} | timeout {patience} {_openssl(address, sni)} -no_ign_eof >/dev/null 2>&1"


def held(address: str, *, spoken: str, sent: float, seconds: float, over_tls: bool, sni: str) -> str:
    """Hold one connection, and say a little now and then."""
    turns = max(2, min(40, int(seconds / 5)))
    first = f"printf {quote(SPOKEN[spoken])}; " if spoken in SPOKEN else ""
    part = max(1, int(sent / turns))
    source = (
        f"({first}n=0; while [ $n -lt {turns} ]; do head -c {part} /dev/urandom; sleep {seconds / turns:.3f};"
        " n=$((n+1)); done)"
    )
    peer = f"{_openssl(address, sni)} -no_ign_eof" if over_tls else f"nc {address.replace(':', ' ')}"
    return f"{source} | timeout {int(seconds) + PATIENCE} {peer} >/dev/null 2>&1"


def raw(address: str, *, sent: float) -> str:
    """Send bytes that no analyser knows."""
    return f"head -c {int(sent)} /dev/urandom | timeout {PATIENCE} nc {address.replace(':', ' ')} >/dev/null"


def fake_tls(address: str, *, sent: float) -> str:
    """Send a hello that is one in form only (one cipher, no extension), then records of random bytes."""
    size = max(int(sent) - 60, 32)
    hello = r"\026\003\001\000\055\001\000\000\051\003\003"
    rest = r"\000\000\002\000\057\001\000"
    record = rf"\027\003\003\{size >> 8 & 255:03o}\{size & 255:03o}"
    parts = f"printf '{hello}'; head -c 32 /dev/urandom; printf '{rest}'; sleep 0.1; printf '{record}'"
    target = address.replace(":", " ")
    return f"({parts}; head -c {size} /dev/urandom) | timeout {PATIENCE} nc {target} >/dev/null"


def lookups(names: Sequence[str], *, qtype: str, server: str, wait: float) -> str:
    """Ask for one name after the other."""
    ask = f"timeout 3 nslookup -type={qtype.lower()} $name {server} >/dev/null 2>&1"
    return f"for name in {' '.join(names)}; do {ask} & sleep {wait:.3f}; done"


def scan(targets: str, ports: Sequence[int], *, wait: float, attempts: int) -> str:
    """Knock on every port of each address and hang up, each knock in the background."""
    knock = f"nc -w 1 $address $port </dev/null >/dev/null 2>&1 & sleep {wait:.3f}"
    count = f"left=$((left-1)); [ $left -gt 0 ] || exit 0; {knock}"
    return (
        f"left={attempts}\nfor address in {targets}; do for port in {' '.join(map(str, ports))}; do {count}; done; done"
    )


def echo(address: str, *, payload: int, wait: float, count: int) -> str:
    """Send ICMP echo requests."""
    return f"ping -q -s {payload} -i {wait:.3f} -c {count} {address} >/dev/null"


def _client(address: str, sni: str) -> str:
    return f"timeout {PATIENCE} {_openssl(address, sni)}"


def _openssl(address: str, sni: str) -> str:
    named = f"-servername {quote(sni)}" if sni else "-noservername"
    return f"openssl s_client -quiet -connect {address} {named}"
