"""The results of systems that are measured one after the other for hours: a measurement that is stopped resumes with the next one."""

import json
from dataclasses import dataclass
from pathlib import Path

import systems
from driver import PEERS, Peer, log, run_separately
from lstm_lm.io import atomic, hashing
from page import machine_facts


@dataclass(frozen=True)
class Unfinished:
    """Results of a text, kept in a file until all of its systems are measured.

    Attributes:
        path: of the file.
        text_digest: of the text that the systems are trained on.
    """

    path: Path
    text_digest: str

    def measure(self, peer: Peer) -> None:
        """Measure a system, unless the same scripts and code have measured it on this machine with the same settings and text."""
        known = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        code = [hashing.digest(folder) for folder in (PEERS, systems.PROJECT / "src/lstm_lm")]
        key = hashing.digest_json(peer.name, peer.settings, self.text_digest, machine_facts(), code)
        if key in known:
            log(f"  {peer.name}: measured before this was stopped")
            peer.results = [known[key]]
            return
        run_separately([peer], 1, 1)
        if peer.problem is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_json(self.path, {**known, key: peer.results[0]})

    def clear(self) -> None:
        """Forget the results: all systems are measured."""
        self.path.unlink(missing_ok=True)
