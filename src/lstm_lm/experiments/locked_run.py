"""What a dvc.lock records of the run whose metrics lie beside it: its parameters, and the text that it held out."""

import json
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from lstm_lm import paths
from lstm_lm.config import keys, loading
from lstm_lm.io import dvc_objects, hashing
from lstm_lm.text import encoded

LOCK_FILE, PARAMS_FILE = "dvc.lock", "params.yaml"
EVALUATION = "evaluate-sample"
SPLIT_PARAMS = ("vocab.split_by", "vocab.validation", "vocab.test", "vocab.split_seed")  # which part of the text is held out
VOCABULARY = (paths.VOCABULARY.as_posix(), paths.TOKENIZER.as_posix())

Params = dict[str, Any]  # {"train.epochs": 3, ...}


class LockedRun:
    """A run of the pipeline.

    Args:
        lock: the text of a dvc.lock; None if there is none, which then records nothing.
    """

    def __init__(self, lock: str | None) -> None:
        stages = loading.parse(lock, LOCK_FILE).get("stages") if lock else None
        self._stages: Mapping[str, Mapping[str, Any]] = stages or {}

    @cached_property
    def params(self) -> Params:
        """The parameters that the stages ran with, flattened; those that no stage depends on are missing."""
        found: Params = {}
        for stage in self._stages.values():
            for name, value in ((stage.get("params") or {}).get(PARAMS_FILE) or {}).items():
                found |= keys.flatten_sections({name: value}) if isinstance(value, dict) and "." not in name else {name: value}
        return found

    def changed_since(self, params: Params) -> list[str]:
        """Return the names of the parameters that the run had otherwise.

        Args:
            params: of params.yaml, flattened.
        """
        sections = {keys.split(name)[0] for name in self.params}
        present = {name: value for name, value in params.items() if keys.split(name)[0] in sections}
        missing = object()
        return [name for name in {**present, **self.params} if present.get(name, missing) != self.params.get(name, missing)]

    @property
    def is_evaluated(self) -> bool:
        """Whether the model that was trained last is the one that was evaluated, as far as that is recorded."""
        weights = "models/weights"
        trained, evaluated = self._digests("train", "outs").get(weights), self._digests(EVALUATION, "deps").get(weights)
        return trained is None or evaluated is None or trained == evaluated

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """What identifies the vocabulary that the model was trained with, None if it is not recorded."""
        digests = self._digests("train", "deps")
        return tuple(digests[path] for path in VOCABULARY) if all(path in digests for path in VOCABULARY) else None

    def held_out(self, split: str, params: Params) -> frozenset[str]:
        """Return what identifies the text of a held-out split: if two runs have any of it in common, their text is the same.

        What the cache lacks is left out. The whole text and how it was split always identify it.

        Args:
            split: validation or test.
            params: of the run, flattened.
        """
        raw = [digest] if (digest := self._digest("download", paths.RAW)) else []
        found = {json.dumps([raw, *(params.get(name) for name in SPLIT_PARAMS)])}
        prepared = self._read("vocab", paths.VOCAB, encoded.DOCUMENTS_FILE)
        with suppress(KeyError, TypeError):  # not in the cache, or of an earlier version of this project
            found.add(f"tokens {prepared['digests'][split]}")  # of the text in its tokens, see `encoded.digest_part`
        with suppress(KeyError, TypeError):
            spans, source = self._read("vocab", paths.VOCAB, paths.SPLITS.name), self._read("download", paths.RAW, paths.SOURCE.name)
            found |= _documents(spans[split], prepared["documents"], source["files"])
        return frozenset(found)

    def _digests(self, stage: str, kind: str) -> dict[str, str]:
        """Return the digests of the dependencies (`deps`) or outputs (`outs`) of a stage, by path."""
        entries = self._stages.get(stage, {}).get(kind) or []
        return {entry["path"]: entry["md5"] for entry in entries if "md5" in entry}

    def _digest(self, stage: str, path: Path) -> str | None:
        """Return the digest of what was evaluated with, or else of the output of a stage: later stages may not have run yet."""
        name = path.as_posix()
        return self._digests(EVALUATION, "deps").get(name) or self._digests(stage, "outs").get(name)

    def _read(self, stage: str, path: Path, name: str) -> Any:
        """Return the JSON of a file in a folder that a stage has made, or None if the cache does not have it."""
        digest = self._digest(stage, path)
        content = dvc_objects.read(Path(), digest, name) if digest else None
        try:
            return None if content is None else json.loads(content)
        except ValueError:  # DVC repairs it when it needs it
            return None


def _documents(spans: list[dict[str, Any]], lengths: Mapping[str, int], files: list[dict[str, Any]]) -> set[str]:
    """Identify a text by its documents, so that it is the same in words and in characters. Documents held out in part identify nothing."""
    digests = {file["name"]: file["sha256"] for file in files}
    if any(span["start"] != 0 or span["stop"] != lengths[span["document"]] for span in spans):
        return set()
    return {f"documents {hashing.digest_json(sorted(digests[span['document']] for span in spans))}"}
