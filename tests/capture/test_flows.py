import pytest

from service.emulation.live.flows import ACK, FIN, RST, SYN, Flow

ORIGIN, ANSWER = ("172.28.10.2", 40000), ("198.51.100.10", 443)
HANDSHAKE = [(ORIGIN, SYN, 0), (ANSWER, SYN | ACK, 0), (ORIGIN, ACK, 0), (ORIGIN, ACK, 100), (ANSWER, ACK, 2000)]


def flow_of(packets: list[tuple[tuple[str, int], int, int]]) -> Flow:
    flow = Flow("tcp", *ORIGIN, *ANSWER, 0.0)
    for number, (sender, flags, payload) in enumerate(packets):
        flow.add(float(number), *sender, payload, payload + 40, flags)
    return flow


@pytest.mark.parametrize(
    ("packets", "state"),
    [
        ([(ORIGIN, SYN, 0)], "S0"),
        ([(ORIGIN, SYN, 0), (ANSWER, RST | ACK, 0)], "REJ"),
        ([(ORIGIN, SYN, 0), (ORIGIN, RST, 0)], "RSTOS0"),
        (HANDSHAKE, "S1"),
        ([*HANDSHAKE, (ORIGIN, FIN | ACK, 0)], "S2"),
        ([*HANDSHAKE, (ANSWER, FIN | ACK, 0)], "S3"),
        ([*HANDSHAKE, (ORIGIN, FIN | ACK, 0), (ANSWER, FIN | ACK, 0)], "SF"),
        ([*HANDSHAKE, (ORIGIN, RST, 0)], "RSTO"),
        ([*HANDSHAKE, (ANSWER, RST, 0)], "RSTR"),
        ([(ORIGIN, ACK, 10)], "OTH"),
    ],
)
def test_state_follows_zeeks_rules(packets: list[tuple[tuple[str, int], int, int]], state: str) -> None:
    """Each course of a TCP connection gets the `conn_state` that Zeek gives it."""
    assert flow_of(packets).state == state


def test_bytes_and_packets_are_counted_on_their_own_side() -> None:
    """Payload and packets of originator and responder are kept apart."""
    row = flow_of(HANDSHAKE).conn()
    assert (row["orig_bytes"], row["resp_bytes"], row["orig_pkts"], row["resp_pkts"]) == (100, 2000, 3, 2)


def test_documentation_ranges_are_not_local() -> None:
    """Only RFC 1918 addresses count as local; the lab's outside world does not."""
    row = flow_of(HANDSHAKE).conn()
    assert (row["local_orig"], row["local_resp"]) == (True, False)


def test_service_is_absent_until_content_shows_it() -> None:
    """Port 443 alone makes no `ssl`."""
    assert "service" not in flow_of(HANDSHAKE).conn()
