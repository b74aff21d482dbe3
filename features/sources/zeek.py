"""Zeek's conn, dns, ssl and http logs, as JSON in its spellings or as rows of its tab-separated form."""

from collections.abc import Callable, Collection, Mapping, Sequence

from features.fields import address, mapping, moment, number, port, strings, text, whole
from features.protocols import Record, RecordError, Row
from features.shapes import Shape
from features.zeek_shapes import SHAPES, TABLES

_LARGEST_STATUS = 2**31 - 1
_CONNECTION = ("orig_h", "orig_p", "resp_h", "resp_p")
_DOTTED = tuple(f"id.{key}" for key in _CONNECTION)
_UNDERSCORED = tuple(f"id_{key}" for key in _CONNECTION)
# these tell logs without `uid` (files, dhcp, x509, pe, stats, reporter) from records of other tools that have a `ts`
_MARKS = frozenset(
    {
        *("id.orig_h", "id_orig_h", "uids", "fuid", "conn_uids", "peer", "node", "note", "location", "ts_delta"),
        *("machine", "fingerprint", "certificate.version", "certificate_version"),
    }
)


class Zeek:
    """Any Zeek log: the four that are used become rows, the others are read and carry nothing."""

    name = "zeek"
    shapes: Sequence[Shape] = SHAPES
    tables: Mapping[str, Shape] = TABLES

    def recognises(self, record: Record) -> bool:
        """Say from the keys whether Zeek wrote this."""
        if "_path" in record or "@stream" in record:
            return True
        return "ts" in record and ("uid" in record or not _MARKS.isdisjoint(record))

    def log_of(self, fields: Collection[str]) -> str | None:
        """Tell a log that does not name itself by its fields; none if it is not one of those that are used."""
        if "conn_state" in fields:
            return "conn"
        if "trans_id" in fields and ("rejected" in fields or "qclass" in fields or "query" in fields):
            return "dns"
        if "trans_depth" in fields and "call_id" not in fields and ("method" in fields or "status_code" in fields):
            return "http"
        if "established" in fields or "cipher" in fields:
            return "ssl"
        return None

    def parse(self, record: Record, host: str | None) -> list[Row]:
        """Turn one log entry into one row."""
        path = record.get("_path") or record.get("@stream")
        if isinstance(path, str) and path.startswith("open_"):  # still open; its last entry will have the sums
            return []
        parser = _PARSERS.get(path) if isinstance(path, str) else None
        if parser is None and (parser := _PARSERS.get(self.log_of(record) or "")) is None:
            return []
        row = _endpoints(record)
        row["host"] = host
        parser(row, record)
        return [row]


def _endpoints(record: Record) -> Row:
    keys = _DOTTED if "id.orig_h" in record else _UNDERSCORED if "id_orig_h" in record else _CONNECTION
    where = mapping(record.get("id"), "id") if keys is _CONNECTION else record
    source, destination = address(where.get(keys[0]), "id.orig_h"), address(where.get(keys[2]), "id.resp_h")
    if source is None or destination is None:
        raise RecordError("id.orig_h or id.resp_h is missing")
    proto = record.get("proto")
    return {
        "ts": moment(record.get("ts"), "ts"),
        "src_ip": source,
        "src_port": port(where.get(keys[1]), "id.orig_p"),
        "dst_ip": destination,
        "dst_port": port(where.get(keys[3]), "id.resp_p"),
        "uid": text(record.get("uid"), "uid"),
        "proto": proto.lower() if isinstance(proto, str) else text(proto, "proto"),
    }


def _identity(row: Row, *parts: object) -> str:
    uid = row["uid"]
    if uid is None:
        uid = f"{row['src_ip']} {row['src_port']} {row['dst_ip']} {row['dst_port']} {row['proto']}"
    return " ".join([uid, row["kind"], *("" if part is None else str(part) for part in parts)])


def _lower(value: object, field: str) -> str | None:
    found = text(value, field)
    return found.lower() if found else None


def _flow(row: Row, record: Record) -> None:
    row["kind"] = "flow"
    row["service"] = _lower(record.get("service"), "service")
    row["bytes_out"] = whole(record.get("orig_bytes"), "orig_bytes")
    row["bytes_in"] = whole(record.get("resp_bytes"), "resp_bytes")
    row["duration"] = number(record.get("duration"), "duration")
    row["conn_state"] = text(record.get("conn_state"), "conn_state")
    row["record_id"] = _identity(row)


def _dns(row: Row, record: Record) -> None:
    row["kind"] = "dns"
    row["query"] = _lower(record.get("query"), "query")
    row["qtype"] = text(record.get("qtype_name"), "qtype_name")
    row["rcode"] = text(record.get("rcode_name"), "rcode_name")
    row["answers"] = strings(record.get("answers"), "answers")
    row["record_id"] = _identity(row, whole(record.get("trans_id"), "trans_id"), row["query"], row["qtype"])


def _tls(row: Row, record: Record) -> None:
    row["kind"] = "tls"
    established = record.get("established")
    row["server_name"] = _lower(record.get("server_name"), "server_name")
    row["tls_version"] = text(record.get("version"), "version")
    row["established"] = established if isinstance(established, bool) else None
    row["ja3"] = text(record.get("ja3"), "ja3")
    row["ja4"] = text(record.get("ja4"), "ja4")
    row["alpn"] = text(record.get("next_protocol") or record.get("alpn"), "next_protocol")
    row["record_id"] = _identity(row)


def _http(row: Row, record: Record) -> None:
    row["kind"] = "http"
    row["method"] = text(record.get("method"), "method")
    row["server_name"] = _host_header(_lower(record.get("host"), "host"))
    row["uri"] = text(record.get("uri"), "uri")
    row["user_agent"] = text(record.get("user_agent"), "user_agent")
    row["status"] = whole(record.get("status_code"), "status_code", _LARGEST_STATUS)
    row["bytes_out"] = whole(record.get("request_body_len"), "request_body_len")
    row["bytes_in"] = whole(record.get("response_body_len"), "response_body_len")
    row["record_id"] = _identity(row, whole(record.get("trans_depth"), "trans_depth"), row["method"], row["uri"])


def _host_header(value: str | None) -> str | None:
    return value.partition(":")[0] if value and value.count(":") == 1 else value


_Parser = Callable[[Row, Record], None]
_PARSERS: dict[str, _Parser] = {"conn": _flow, "dns": _dns, "ssl": _tls, "http": _http}


source = Zeek()
