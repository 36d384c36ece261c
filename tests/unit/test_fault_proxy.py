"""The tools of make test-faults: a fault that harms nothing would make every trial pass."""

import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

import fault_proxy
import kill_trials
from fault_proxy import Fault, FaultProxy


class Upstream(BaseHTTPRequestHandler):
    """Answers with what it was sent, and counts the calls."""

    calls = 0

    def do_POST(self) -> None:
        Upstream.calls += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    """A proxy before `Upstream`."""
    Upstream.calls = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with FaultProxy(server.server_port) as proxy:
        yield proxy
    server.shutdown()
    server.server_close()


def post(proxy: FaultProxy, body: bytes | list[bytes] = b"text") -> requests.Response:
    return requests.post(f"{proxy.address}/runs/create?a=1", data=iter(body) if isinstance(body, list) else body, timeout=10)


def test_without_a_fault_calls_are_passed_on(proxy: FaultProxy) -> None:
    for body in (b"text", [b"te", b"xt"]):
        answer = post(proxy, body)
        assert (answer.status_code, answer.content) == (201, b"text")
    assert (Upstream.calls, proxy.harmed) == (2, [])


@pytest.mark.parametrize(("fault", "reached"), [(Fault.CLOSED, 0), (Fault.LOST, 1)])
def test_an_answer_is_missing_whether_the_call_was_done_or_not(proxy: FaultProxy, fault: Fault, reached: int) -> None:
    if fault is Fault.LOST:
        proxy.fault_of("")  # every other one is lost
    proxy.fault = fault
    with pytest.raises(requests.ConnectionError):
        post(proxy)
    assert (Upstream.calls, proxy.harmed) == (reached, ["POST /runs/create"])
    proxy.fault = None
    assert post(proxy).status_code == 201


def test_half_of_the_answers_are_lost_and_the_calls_done(proxy: FaultProxy) -> None:
    proxy.fault = Fault.LOST
    lost = 0
    for _ in range(6):
        try:
            post(proxy)
        except requests.ConnectionError:
            lost += 1
    assert (Upstream.calls, lost) == (6, 3)


def test_an_error_is_answered_without_the_call_being_done(proxy: FaultProxy) -> None:
    proxy.fault = Fault.ERROR
    assert (post(proxy).status_code, Upstream.calls) == (500, 0)


def test_a_slow_call_is_done(proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_proxy, "SLOW_SECONDS", 0.3)
    proxy.fault = Fault.SLOW
    start = time.monotonic()
    assert (post(proxy).status_code, Upstream.calls) == (201, 1)
    assert time.monotonic() - start > 0.3


def test_a_server_that_is_gone_closes_the_connection() -> None:
    with FaultProxy(9) as proxy, pytest.raises(requests.ConnectionError):
        post(proxy)


def test_the_moments_of_kills_depend_only_on_the_seed_and_are_in_the_order_of_the_stages() -> None:
    moments = kill_trials.draw_moments(random.Random("1 kill-1"), 200)
    assert moments == kill_trials.draw_moments(random.Random("1 kill-1"), 200)
    places = [kill_trials.STAGES.index(moment.stage) for moment in moments]
    assert places == sorted(places)
    assert {moment.way for moment in moments} == set(kill_trials.WAYS)
    assert {moment.writes for moment in moments} == {None, *kill_trials.DVC_WRITES}
