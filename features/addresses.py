"""What an address or a name on the network belongs to: inside or outside, and which registered domain or network."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import polars as pl
from publicsuffixlist import PublicSuffixList

Network = IPv4Network | IPv6Network

# Documentation ranges are external on purpose: `ipaddress.is_private` would call them private.
INTERNAL: tuple[Network, ...] = tuple(
    ip_network(cidr)
    for cidr in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


def internal_networks(cidrs: Sequence[str] = ()) -> tuple[Network, ...]:
    """Give the internal networks, with the operator's own added.

    Raises
    ------
    ValueError
        If a CIDR is malformed.
    """
    return INTERNAL + tuple(ip_network(cidr, strict=False) for cidr in cidrs)


@lru_cache(maxsize=1 << 17)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


# Not cached by its networks: to hash them takes longer than to ask them. `remembering` hashes them once for many.
def is_internal(address: str, networks: tuple[Network, ...] = INTERNAL) -> bool:
    """Say whether an address lies inside; what is no address (a name, an empty string) does not."""
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks if network.version == parsed.version)


@lru_cache(maxsize=1 << 17)
def is_group(address: str) -> bool:
    """Say whether an address is multicast, broadcast or unspecified: no one's own.

    The last address of 256 is taken for a broadcast inside only, where networks are mostly of that size.
    """
    parsed = _parsed(address)
    if parsed is None:
        return False
    return parsed.is_multicast or parsed.is_unspecified or address == "255.255.255.255" or _ends_network(address)


def _ends_network(address: str) -> bool:
    return address.endswith(".255") and is_internal(address)


def is_owned(address: str, networks: tuple[Network, ...] = INTERNAL) -> bool:
    """Say whether an address inside names one machine or container.

    One of IPv6's link-local addresses does not: it is a second name of who has another address, and means something on
    its own link alone. Those of IPv4 do: clouds keep their metadata service at one.
    """
    parsed = _parsed(address)
    if parsed is None or not is_internal(address, networks) or is_group(address):
        return False
    return parsed.version == 4 or not parsed.is_link_local  # noqa: PLR2004 - of IP


def is_external(address: str, networks: tuple[Network, ...] = INTERNAL) -> bool:
    """Say whether an address is that of one machine outside; what is no address counts as outside too."""
    return not is_internal(address, networks) and not is_group(address)


@lru_cache(maxsize=8)
def remembering(
    asked: Callable[[str, tuple[Network, ...]], bool], networks: tuple[Network, ...]
) -> Callable[[str], bool]:
    """Give what answers a question about addresses and some networks, once for each address."""
    return lru_cache(maxsize=1 << 17)(lambda address: asked(address, networks))


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@lru_cache(maxsize=1 << 17)
def registered_domain(name: str) -> str:
    """Give the domain someone registered: public suffix plus one label; a name that is itself a suffix is kept.

    Examples
    --------
    >>> registered_domain("a.b.shop.co.uk"), registered_domain("db.internal")
    ('shop.co.uk', 'db.internal')
    """
    bare = name.rstrip(".").lower()
    return str(_suffixes().privatesuffix(bare) or bare)


def mapped(values: pl.Series, name: str, function: object, dtype: pl.DataType) -> pl.DataFrame:
    """Apply a Python function once per distinct value; join the result on the series' own name."""
    distinct = values.drop_nulls().unique(maintain_order=True)
    results = [function(value) for value in distinct.to_list()]  # type: ignore[operator]  # any unary function
    return pl.DataFrame([distinct, pl.Series(name, results, dtype)])
