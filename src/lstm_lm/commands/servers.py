"""Checks before a server is started, and the addresses under which it is reached."""

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterator

from lstm_lm.errors import UserError

ALL_ADDRESSES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # and how this machine itself reaches them
LOCAL = ("localhost", "127.0.0.1", "::1")
CHOICES = "use 127.0.0.1 for this machine only, or 0.0.0.0 for other machines too"


def check_can_listen(host: str, port: int, command: str) -> None:
    """Check that a server can be started.

    Args:
        host: address to listen on.
        port: to listen on.
        command: what to type for another port.

    Raises:
        UserError: the host is none of this machine, or the port is taken or not allowed.
    """
    for family, address in _resolve(host, port):
        try:
            _bind(family, address)
        except OSError as error:
            raise UserError(why_not(error, host, port, command)) from None


def _resolve(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    try:
        if not host:
            raise socket.gaierror(socket.EAI_NONAME, "no name")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else "no valid name"
        raise UserError(f"host {host!r} is unknown ({reason}): {CHOICES}") from None
    return [(family, address) for family, _, _, _, address in found]


def _bind(family: int, address: tuple[object, ...]) -> None:
    """Bind a socket as the server will. Connecting instead would not notice a port that only another address has taken."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)


def why_not(error: OSError, host: str, port: int, command: str) -> str:
    """Return why a server cannot listen, in one line; the arguments are those of `check_can_listen`."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken: choose another, with: {command}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} needs the rights of an administrator: choose one from 1024 to 65535, with: {command}"
    return f"cannot listen on host {host!r} ({error.strerror}): {CHOICES}"


def url(host: str, port: int) -> str:
    """Return the address to open on this machine: `http://127.0.0.1:5000`, also if the server listens on all addresses."""
    return f"http://{_in_url(ALL_ADDRESSES.get(host, host))}:{port}"


def remote_urls(host: str, port: int) -> list[str]:
    """Return the addresses to open on other machines; none for a server that only this machine reaches."""
    return [f"http://{_in_url(name)}:{port}" for name in _names(host) if name not in LOCAL]


def allowed_hosts(host: str, port: int, more: str) -> str:
    """Return the `Host` headers that a server is to accept, separated by commas.

    The protection is against pages of other sites that lead their own name to this server (DNS rebinding): the names of this machine
    are safe.

    Args:
        host: on which the server listens.
        port: on which the server listens.
        more: names and addresses separated by commas, as the user gives them; `*` for all.
    """
    names = [_in_url(name) for name in dict.fromkeys([*LOCAL, *_names(host), *_split(more)])]
    return ",".join([*names, *(f"{name}:{port}" for name in names if _has_no_port(name))])


def allowed_origins(host: str, port: int, more: str) -> str:
    """Return the addresses of pages that may change what a server has, its own pages: as `allowed_hosts`."""
    names = allowed_hosts(host, port, more).split(",")
    return "*" if "*" in names else ",".join(f"{scheme}://{name}" for name in names for scheme in ("http", "https"))


def _split(names: str) -> list[str]:
    return list(filter(None, (name.strip() for name in names.split(","))))


def _names(host: str) -> Iterator[str]:
    """Yield the names and addresses under which other machines reach a server that listens on `host`."""
    if host not in ALL_ADDRESSES:
        yield host
        return
    import psutil

    families = (socket.AF_INET, socket.AF_INET6) if host == "::" else (socket.AF_INET,)
    yield socket.gethostname()
    for interface in psutil.net_if_addrs().values():
        for entry in interface:
            if entry.family in families and not _is_local(entry.address):
                yield entry.address


def _is_local(address: str) -> bool:
    """Whether an address works on this machine or its cable only."""
    with contextlib.suppress(ValueError):
        parsed = ipaddress.ip_address(address.partition("%")[0])
        return parsed.is_loopback or parsed.is_link_local
    return True


def _in_url(name: str) -> str:
    """`::1` -> `[::1]`."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


def _has_no_port(name: str) -> bool:
    return name != "*" and (name.endswith("]") or ":" not in name)
