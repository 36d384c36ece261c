"""Send random requests to a server of `make serve`, and check that it refuses what is wrong in one line and stays as it was.

usage: python tests/fuzz_server.py http://127.0.0.1:5001 [--requests 10000] [--seed 1] [--threads 4] [--process PID]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import random
import re
import socket
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TIMEOUT = 60.0  # seconds until an answer is complete: a hang
POSTS = ["/v1/completions"] * 6 + ["/invocations"] * 6 + ["/v1/score", "/v1/next"] * 2 + ["/v1/chat/completions"]
GETS = ["/v1/models", "/v1/models/lstm_lm", "/v1/options", "/metrics", "/healthz", "/readyz", "/ping", "/version", "/", "/openapi.json"]
METHODS = ["POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "FOO", "P\xe9ST", "A" * 300]
TYPES = ["application/json"] * 40 + ["text/csv"] * 3 + ["application/vnd.apache.parquet", "application/json; charset=utf-8"]
TYPES += ["application/json; charset=latin-1", "text/plain", "multipart/form-data", "", ";;;", "a" * 5000, None]
WORDS = [
    "the",
    "king",
    "thou",
    "art",
    "zounds",
    "É",
    "don't",
    "\u0130",
    "\ud800",
    "\x00",
    "\u202e",
    " ",
    "",
    "-",
    "🎭",
    "a" * 10_001,
    "to be",
]
NUMBERS: list[Any] = [0, 1, -1, 2, 5, 40, 256, 257, 1000, 1001, 2**31 - 1, 2**31, 2**63, 10**30, 0.0, 0.5, 1e-9, 1e308, -0.0, 100, 0.05]
OPTIONS = [
    *("temperature", "top_k", "top_p", "seed", "min_p", "typical_p", "repetition_penalty", "no_repeat_ngram", "stop_at_sentence_end"),
    *("samples", "beam_width", "max_words", "max_tokens", "n", "best_of", "logprobs", "echo", "stop", "stream", "stream_options", "suffix"),
    *("logit_bias", "user", "model", "presence_penalty", "tools", "prompt", "k", "text", "params", "inputs", "instances", "messages"),
]
SECRETS = re.compile(r"Traceback|\.py\b|site-packages|/tmp/|/root/|/home/|File \\?\"")


@dataclass
class Report:
    """What became of the requests.

    Attributes:
        statuses: how often each status came; "none": the connection ended without an answer.
        problems: what should not have happened.
        slowest: seconds of the slowest answer.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    slowest: float = 0.0


class Fuzzer:
    """Makes one request after the other from a seed."""

    def __init__(self, seed: int, host: str, port: int) -> None:
        """Take the server's address."""
        self.random = random.Random(seed)
        self.host, self.port = host, port

    def request(self) -> tuple[bytes, bool]:
        """Return the bytes of a request, and whether the client leaves before it reads the answer."""
        choose = self.random.choice
        method, path = choose([("POST", choose(POSTS))] * 9 + [("GET", choose(GETS)), (choose(METHODS), choose(POSTS + GETS))])
        if self.random.random() < 0.05:
            path = choose(["/nothing", "/%ff%00", "/v1/../admin", "//", "/" + "a" * 3000, "/?q=" + "%" * 9, "*", "/v1/models/%2e%2e", "/é"])
        content_type = choose(TYPES)
        body = self.body(path, content_type or "")
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}" if self.random.random() < 0.97 else "Host: evil.example"]
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
        lines += self.headers()
        if self.random.random() < 0.2:
            lines.append("Transfer-Encoding: chunked")
            payload = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in self.split(body)) + b"0\r\n\r\n"
        else:
            lines.append(f"Content-Length: {len(body)}")
            payload = body
        head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("utf-8", errors="replace")
        whole = head + payload
        if self.random.random() < 0.02:
            whole = whole[: self.random.randrange(len(whole))]
            return whole, True
        return whole, self.random.random() < 0.03

    def headers(self) -> list[str]:
        """Return other headers, most often none."""
        made = []
        if self.random.random() < 0.1:
            made.append("X-Request-Id: " + self.random.choice(["abc", "a b", "é", "x" * 5000, "{}"]))
        if self.random.random() < 0.05:
            made.append(
                self.random.choice(
                    ["Origin: null", "Content-Encoding: gzip", "Expect: 100-continue", "Authorization: Bearer x", "Accept: x"]
                )
            )
        if self.random.random() < 0.02:
            made.append(
                self.random.choice(["Upgrade: websocket\r\nConnection: upgrade", "Content-Length: 5", "\x01: x", "X: " + "y" * 70_000])
            )
        return made

    def split(self, body: bytes) -> list[bytes]:
        """Return a body in chunks."""
        size = self.random.choice([1, 7, 1000, 100_000])
        return [body[start : start + size] for start in range(0, min(len(body), 2000 * size), size)]

    def body(self, path: str, content_type: str) -> bytes:
        """Return a body, which more or less fits."""
        kind = self.random.random()
        if kind < 0.05:
            return self.random.randbytes(self.random.choice([0, 1, 10, 1000]))
        if kind < 0.08:
            return self.random.choice(
                [b"[" * 50_000, b'{"a":' * 5000, b"{" * 100 + b"}" * 100, b"1" * 10_000, b'"', b"null", b"[]", b"\xef\xbb\xbf{}"]
            )
        if content_type == "text/csv" and kind < 0.9:
            cells = [self.text() for _ in range(self.random.randrange(6))]
            return "\n".join([self.random.choice(["prompt", "x", '"prompt', "prompt,y"]), *cells]).encode("utf-8", errors="surrogatepass")
        if "parquet" in content_type and kind < 0.9:
            return self.parquet()
        text = json.dumps(self.invocation() if path == "/invocations" else self.values(path))
        return text[: self.random.randrange(len(text))].encode() if kind > 0.97 else text.encode()

    def invocation(self) -> dict[str, Any]:
        """Return a body of /invocations."""
        prompts = [self.text() if self.random.random() < 0.9 else self.value() for _ in range(self.random.choice([0, 1, 1, 1, 2, 5, 257]))]
        data = {
            "dataframe_split": {"columns": ["prompt"], "data": [[prompt] for prompt in prompts]},
            "dataframe_records": [{"prompt": prompt} for prompt in prompts],
            "instances": prompts,
            "inputs": {"prompt": prompts},
        }
        name = self.random.choice(list(data))
        made = {name: data[name] if self.random.random() < 0.9 else self.value()}
        if self.random.random() < 0.8:
            made["params"] = {"max_words": 3, **self.options()} if self.random.random() < 0.95 else self.value()
        if self.random.random() < 0.05:
            made[self.random.choice(OPTIONS)] = self.value()
        return made

    def values(self, path: str) -> dict[str, Any]:
        """Return a body of one of the other paths."""
        name = "text" if path == "/v1/score" else "prompt"
        prompt: Any = self.random.choice([self.text(), [self.text(), self.text()], self.value()])
        made = {name: prompt} if self.random.random() < 0.97 else {}
        if path == "/v1/completions":
            made |= {"max_tokens": 3, **self.options(), "stream": self.random.random() < 0.3}
        elif self.random.random() < 0.3:
            made |= {"k": self.value()} if self.random.random() < 0.7 else self.options()
        return made

    def options(self) -> dict[str, Any]:
        """Return a few options with values that may be allowed."""
        return {self.random.choice(OPTIONS[:20]): self.value() for _ in range(self.random.choice([0, 0, 1, 1, 2, 3]))}

    def value(self, depth: int = 0) -> Any:
        """Return any JSON value."""
        kind = self.random.random()
        if kind < 0.6:
            return self.random.choice(NUMBERS)
        if kind < 0.8:
            return self.random.choice([True, False, None, float("nan"), float("inf"), self.text()])
        if depth > 3:
            return []
        if kind < 0.9:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.text()[:20]: self.value(depth + 1) for _ in range(self.random.randrange(3))}

    def text(self) -> str:
        """Return a text that may be a prompt."""
        return " ".join(self.random.choice(WORDS) for _ in range(self.random.choice([0, 1, 2, 3, 5])))

    def parquet(self) -> bytes:
        """Return a file of Parquet, now and then a damaged one."""
        import pandas as pd

        file = io.BytesIO()
        prompts = [self.text().encode("utf-8", errors="replace").decode() for _ in range(3)]
        pd.DataFrame({"prompt": prompts}).to_parquet(file)
        content = bytearray(file.getvalue())
        if self.random.random() < 0.5:
            content[self.random.randrange(len(content))] ^= 255
        return bytes(content)


def fuzz(address: str, requests: int, seed: int = 1, threads: int = 4) -> Report:
    """Send requests from several threads.

    Args:
        address: of the server, http://HOST:PORT.
        requests: how many.
        seed: the same requests for the same seed and number of threads.
        threads: that send them.
    """
    parts = urlsplit(address)
    report = Report()

    def work(number: int) -> None:
        fuzzer = Fuzzer(seed * 1000 + number, parts.hostname or "", parts.port or 80)
        for _ in range(requests // threads):
            request, leaves = fuzzer.request()
            _send(fuzzer, request, leaves, report)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, number) for number in range(threads)]:
            done.result()
    return report


def _send(fuzzer: Fuzzer, request: bytes, leaves: bool, report: Report) -> None:
    started = time.monotonic()
    shown = repr(request[:300])
    try:
        with socket.create_connection((fuzzer.host, fuzzer.port), TIMEOUT) as connection:
            with contextlib.suppress(OSError):  # refused before all was sent
                connection.sendall(request)
            if leaves:
                return
            answer = http.client.HTTPResponse(connection, method="HEAD" if request.startswith(b"HEAD ") else None)
            answer.begin()
            content = answer.read()
    except TimeoutError:
        report.problems.append(f"no answer within {TIMEOUT:g} s to {shown}")
        return
    except (OSError, http.client.HTTPException):
        report.statuses["none"] += 1
        return
    report.slowest = max(report.slowest, time.monotonic() - started)
    report.statuses[str(answer.status)] += 1
    if problem := _wrong(answer.status, content, answer.getheader("Content-Type") or "", request):
        report.problems.append(f"{problem}: {content[:300]!r} to {shown}")


def _wrong(status: int, content: bytes, content_type: str, request: bytes) -> str | None:
    text = content.decode("utf-8", errors="replace")
    if status >= 500:
        return f"status {status}"
    if status < 400 or request.startswith(b"HEAD ") or text == "Invalid HTTP request received.":  # of the HTTP library
        return None
    if SECRETS.search(text):
        return "a trace or a path"
    try:
        value = json.loads(text)
        message = value["error"]["message"] if "error" in value else value["message"]
    except (ValueError, KeyError, TypeError):
        return "no message in JSON"
    is_right = content_type == "application/json" and message and "\n" not in text
    return None if is_right else "not one line of JSON"


def resident(process: int) -> int:
    """Return the bytes of memory that a process and its children hold."""
    import psutil

    top = psutil.Process(process)
    return sum(each.memory_info().rss for each in [top, *top.children(recursive=True)])


def main() -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--process", type=int, help="whose memory is measured")
    args = parser.parse_args()
    if args.process:
        fuzz(args.address, max(args.requests // 10, 200), args.seed + 1, args.threads)  # warm-up
        before = resident(args.process)
    report = fuzz(args.address, args.requests, args.seed, args.threads)
    print("statuses:", dict(sorted(report.statuses.items())), f"slowest: {report.slowest:.2f} s")
    if args.process:
        after = resident(args.process)
        print(f"memory: {before / 2**20:.0f} MiB before, {after / 2**20:.0f} MiB after ({after / before - 1:+.1%})")
    for problem in report.problems[:20]:
        print(problem)
    print(f"{len(report.problems)} problems")
    sys.exit(bool(report.problems))


if __name__ == "__main__":
    main()
