import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from conftest import PROJECT, environment
from lstm_lm.commands import servers
from lstm_lm.errors import UserError

COMMAND = "make ui PORT=..."


@pytest.fixture(params=[("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)], ids=["IPv4", "IPv6"])
def taken(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """An address and a port of it on which something listens, with nothing at that port of the other kind of address."""
    host, family = request.param
    with socket.socket(family) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip(f"this machine has no {host}")
        listening.listen()
        yield host, listening.getsockname()[1]


def test_a_port_that_is_taken_is_refused_on_its_own_kind_of_address_only(taken: tuple[str, int]) -> None:
    host, port = taken
    everywhere, other = ("0.0.0.0", "::1") if host == "127.0.0.1" else ("::", "127.0.0.1")
    for refused in (host, everywhere):
        with pytest.raises(UserError, match=f"^port {port} is taken: choose another, with: make ui PORT="):
            servers.check_can_listen(refused, port, COMMAND)
    servers.check_can_listen(other, port, COMMAND)


def test_a_port_that_was_in_use_a_moment_ago_is_free() -> None:
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), listening.accept()[0] as accepted:
            accepted.close()  # the server's end closes first, and waits
    servers.check_can_listen("127.0.0.1", port, COMMAND)


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("nonsense.invalid", "host 'nonsense.invalid' is unknown ("),
        ("", "host '' is unknown ("),
        ("a" * 70 + ".b", "host 'aaa"),
        (
            "192.0.2.77",
            "cannot listen on host '192.0.2.77' (Cannot assign requested address): use 127.0.0.1 for this machine only, or 0.0.0.0",
        ),
    ],
)
def test_a_host_that_is_none_of_this_machine_is_refused(host: str, message: str, free_port: int) -> None:
    with pytest.raises(UserError) as error:
        servers.check_can_listen(host, free_port, COMMAND)
    assert str(error.value).startswith(message)


def test_a_port_for_administrators_is_refused_to_others() -> None:
    code = "from lstm_lm.commands import servers\nfrom lstm_lm.ui import program\n"
    code += "program.run(lambda: servers.check_can_listen('127.0.0.1', 81, 'make ui PORT=...'))"
    command = [sys.executable, "-c", code]
    if shutil.which("setpriv"):
        command = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service", *command]
    done = subprocess.run(command, env=environment(PYTHONPATH=str(PROJECT / "src")), capture_output=True, text=True, check=False)
    if done.returncode == 0:
        pytest.skip("this system lets everybody listen on port 81")
    assert done.stderr == "error: port 81 needs the rights of an administrator: choose one from 1024 to 65535, with: make ui PORT=...\n"


def test_addresses_can_be_opened() -> None:
    assert servers.url("127.0.0.1", 5000) == "http://127.0.0.1:5000"
    assert servers.url("::1", 5000) == "http://[::1]:5000"
    assert servers.url("0.0.0.0", 5000) == "http://127.0.0.1:5000"
    assert servers.remote_urls("127.0.0.1", 5000) == []
    assert f"http://{socket.gethostname()}:5000" in servers.remote_urls("0.0.0.0", 5000)


def test_own_names_and_named_ones_are_accepted_with_and_without_the_port() -> None:
    hosts = servers.allowed_hosts("127.0.0.1", 5000, "box.example, *.lab, fd00::2, other:80").split(",")
    assert hosts[:3] == ["localhost", "127.0.0.1", "[::1]"]
    assert {"box.example", "box.example:5000", "*.lab:5000", "[fd00::2]:5000", "other:80"} < set(hosts)
    assert "other:80:5000" not in hosts
    assert "http://box.example:5000" in servers.allowed_origins("127.0.0.1", 5000, "box.example").split(",")
    assert servers.allowed_origins("127.0.0.1", 5000, "*") == "*"
