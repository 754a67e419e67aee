"""From where a picture may be fetched.

An answer names the address of each picture, and a fetch runs inside our network. So the address is
held to the hosts that the service is known to use, and a name to addresses of the open internet.
"""

import ipaddress
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

# ark-content-generation-v2-ap-southeast-1.tos-ap-southeast-1.volces.com and its siblings.
_RESULT_HOST = re.compile(r"ark-[a-z0-9-]+\.tos-[a-z0-9-]+\.volces\.com")
# A name, an IPv4 address, or an IPv6 address in brackets.
_NAME = r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?"
_ENTRY = re.compile(rf"(?:{_NAME}(?:\.{_NAME})*|\[[0-9a-f:.]+\])(?::[0-9]+)?")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}


class ResultHostError(Exception):
    """A picture lies where nothing is fetched from. Its request is paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A scheme, a host in lower case and a port."""

    scheme: str
    host: str
    port: int


def place_of(url: str) -> Place:
    """Return where *url* leads; raise ResultHostError for what is not a plain http(s) URL.

    Readers of URLs differ about white space, backslashes and what stands in front of an "@", so
    none of these is let through.
    """
    if not url.isascii() or not url.isprintable() or re.search(r"[\s\\]", url):
        raise ResultHostError("the address of the picture holds characters that no URL has")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise ResultHostError("the address of the picture is not a URL") from error
    if parts.scheme not in _PORTS or not host or "@" in parts.netloc or "%" in parts.netloc:
        raise ResultHostError("the address of the picture is not a plain http(s) URL")
    return Place(
        scheme=parts.scheme, host=host, port=_PORTS[parts.scheme] if port is None else port
    )


def checked_host(entry: str) -> str:
    """Return *entry* if it is a host name, alone or with ":port"; raise ValueError if not."""
    try:
        port = place_of(f"https://{entry.strip()}").port
    except ResultHostError:
        port = 0
    if not port or not _ENTRY.fullmatch(entry.strip().lower()):
        raise ValueError(
            "must be the name of a host such as cdn.example.com, without https://, path or *; "
            "commas separate several"
        )
    return entry


class HostRule:
    """Which places results may come from: *base_url*'s own, the service's, and *result_hosts*.

    An entry of *result_hosts* is a host name, with ":port" unless it is 443.
    """

    def __init__(self, base_url: str, result_hosts: Iterable[str] = ()) -> None:
        self._base = place_of(base_url)
        self._further = frozenset(_host_and_port(entry) for entry in result_hosts)

    def check(self, url: str) -> Place:
        """Return where *url* leads; raise ResultHostError if nothing may be fetched from there."""
        place = place_of(url)
        if self.is_base(place.host):
            return place
        by_name = place.port == 443 and _RESULT_HOST.fullmatch(place.host)
        if place.scheme == "https" and (by_name or (place.host, place.port) in self._further):
            return place
        raise ResultHostError(
            f"The service names {place.scheme}://{_spelled(place)} for a picture, and "
            f"results are not fetched from there. {_advice(place)}"
        )

    def is_base(self, host: str) -> bool:
        """Say whether this is the very host of the API, which may be anywhere, on any port."""
        return host.casefold() == self._base.host


def _spelled(place: Place) -> str:
    return f"[{place.host}]:{place.port}" if ":" in place.host else f"{place.host}:{place.port}"


def _advice(place: Place) -> str:
    if place.scheme != "https":
        return "From other hosts than the API's own only https is fetched."
    if _is_inside(place.host):
        return "From other hosts than the API's own only the open internet is fetched from."
    entry = place.host if place.port == 443 and ":" not in place.host else _spelled(place)
    return f"If it is right, add {entry} to RESULT_HOSTS and resume."


def _is_inside(host: str) -> bool:
    """Say whether *host* can only lead inside; of another name its address will tell."""
    try:
        return not is_open_internet(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_open_internet(address: str) -> bool:
    """Say whether *address* is of the open internet, also where it wraps an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_open_internet(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _host_and_port(entry: str) -> tuple[str, int]:
    place = place_of(f"https://{entry.strip()}")
    return place.host, place.port
