import socket

import pytest

from lstm_lm.commands.servers import check_can_listen
from lstm_lm.errors import UserError


def test_a_server_is_not_started_on_an_unavailable_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is taken: choose another, with: make ui PORT="):
            check_can_listen("sh", "127.0.0.1", port, "make ui PORT=...")
    check_can_listen("sh", "127.0.0.1", port, "make ui PORT=...")
    with pytest.raises(UserError, match="port 99999: must be from 1 to 65535"):
        check_can_listen("sh", "127.0.0.1", 99999, "make ui PORT=...")
    with pytest.raises(UserError, match="nonsense is not on PATH: activate"):
        check_can_listen("nonsense", "127.0.0.1", port, "")
