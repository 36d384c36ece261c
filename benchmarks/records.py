"""The section `records`: perplexity after the same minutes of training, compared with well-trained peers, for one text or several."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
import quality
import records_picture
import systems
from driver import Answer, Peer
from lstm_lm.config import keys, loading, presets
from lstm_lm.config.schema import Params
from lstm_lm.data import dataset
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import UserError
from lstm_lm.ui.markdown import table
from page import machine, not_measured, number
from session import Session
from unfinished import Unfinished

WORK = environments.FOLDER / "work" / "records"
RESULTS = environments.HERE / "records.json"
QUICK_RESULTS = environments.FOLDER / "records-quick.json"
UNFINISHED = environments.FOLDER / "records-unfinished.json"
PICTURE = systems.PROJECT / "docs" / "records.png"
OWN_DATA = (systems.PROJECT / "data", None)
MINUTES, QUICK_MINUTES = 4.0, 0.3  # where neither the command line nor the parameters say
VALIDATIONS_A_MINUTE, MIN_VALIDATIONS, MAX_VALIDATIONS = 3, 4, 30
MAX_VALIDATED_WORDS = 2_000_000  # of each system, in all validations together: a minute or two for each 250,000
PUBLISHED_SIZES = ((650, 0.5), (200, 0.2))  # units and dropout of word_language_model
HEADINGS = [
    "",
    "validation perplexity",
    "test perplexity",
    "relative to ours",
    "bits per character",
    "minutes",
    "epochs",
    "weights",
    "seconds before the first step",
]

Facts = dict[str, Any]


@dataclass(frozen=True)
class Text:
    """One text with the parameters for it.

    Attributes:
        data: folder with the outputs of the stages vocab and batching.
        preset: its changes to params.yaml, or None.
        params: the parameters that come of it.
        batches: the text.
    """

    data: Path
    preset: str | None
    params: Params
    batches: Batches

    @property
    def name(self) -> str:
        """What the table and the picture call it."""
        unit = {"char": "characters"}.get(self.params.vocab.unit, f"{self.params.vocab.unit}s")
        return f"`{self.preset or 'params.yaml'}`, {self.batches.vocabulary_size:,} {unit}"


def parse_text(argument: str) -> tuple[Path, str | None]:
    """Split FOLDER[:PRESET] and check it.

    Raises:
        UserError: there is no such folder or preset.
    """
    name, _, preset = argument.partition(":")
    _load_text(Path(name), preset or None)
    return Path(name), preset or None


def _load_text(data: Path, preset: str | None, changes: Mapping[str, Any] | None = None) -> Text:
    """Load a text and its parameters.

    Raises:
        UserError: the outputs of the stages or the preset are missing, or the preset is for other units of text.
    """
    for file in ("batches/batches.json", "vocab/tokenizer.json"):
        if not (data / file).exists():
            raise UserError(f"--data {data}: there is no {data / file}: name a folder with the outputs of the stages vocab and batching")
    values = presets.load(preset, systems.PROJECT / "presets") if preset else {}
    params = loading.check(keys.with_changes(loading.read(systems.PROJECT / "params.yaml"), {**values, **(changes or {})}))
    unit = json.loads((data / "vocab/tokenizer.json").read_text(encoding="utf-8"))["unit"]
    if unit != params.vocab.unit:
        other = f"{preset or 'params.yaml'} has {params.vocab.unit}"
        raise UserError(f"--data {data}: its unit is {unit}, and {other}: name the preset that made it, FOLDER:PRESET")
    return Text(data, preset, params, dataset.load(data / "batches"))


def records(session: Session, changes: Mapping[str, Any] | None = None) -> str:
    """Train all systems on each text, one after the other, draw their curves and return the tables.

    The numbers are kept in RESULTS, with those of earlier sessions on other texts or for other minutes, which the tables and the picture
    show too. A short trial keeps and shows its own alone, in QUICK_RESULTS and beside it.

    Args:
        session: how thorough, which texts, how many minutes.
        changes: parameters to change, for trials: {"model.hidden_size": 8}.
    """
    if not session.texts and not (OWN_DATA[0] / "batches/batches.json").exists():
        return not_measured("data/batches does not exist; run make repro first")
    known: dict[str, Facts] = {}
    if not session.quick and RESULTS.exists():
        known = json.loads(RESULTS.read_text(encoding="utf-8"))
    for data, preset in session.texts or (OWN_DATA,):
        text = _load_text(data, preset, changes)
        minutes = session.minutes or (QUICK_MINUTES if session.quick else text.params.train.minutes or MINUTES)
        known[f"{text.name}, {minutes:g} min"] = measure(session, text, minutes, changes or {})
        results = QUICK_RESULTS if session.quick else RESULTS
        results.parent.mkdir(parents=True, exist_ok=True)
        results.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    records_picture.save(known, results.with_suffix(".png") if session.quick else PICTURE)
    return "\n\n".join(f"**{name}**\n\n{rows(facts)}\n\n{facts['machine']}." for name, facts in known.items())


def measure(session: Session, text: Text, minutes: float, changes: Mapping[str, Any]) -> Facts:
    """Train all systems on one text: ours for about the minutes, and the others for as long as ours took, counting n-grams included."""
    train = quality.training_text(text.data)
    quality.write_ids(train, text.batches, WORK)
    validations = validations_in(minutes, text.batches.held_out["validation"].scored_words)
    settings = {"data": str(text.data), "work": str(WORK), "preset": text.preset, "changes": dict(changes)}
    limits = {"precision": systems.auto_precision(), "minutes": minutes, "validations": validations}
    ours = Peer(f"ours: {name_of(text)}", "whole_training.py", {**settings, **limits}, environment=systems.SOURCE_PATH)
    unfinished = Unfinished(UNFINISHED, text.batches.text_digest)
    unfinished.measure(ours)
    result = quality.result_of(ours)
    mixed = result.get("with_ngrams") or {}
    others = peers(text, (result.get("trained", minutes * 60) + mixed.get("seconds", 0)) / 60, validations, not session.quick)
    for peer in others:
        unfinished.measure(peer)
    unfinished.clear()
    results = [(peer.name, quality.result_of(peer), peer.problem) for peer in (ours, *others)]
    if mixed:
        results[:1] = with_ngrams(*results[0], mixed)
    reference = results[0][1]
    return {"machine": machine(), "systems": [facts_of(*result, text.batches, reference, len(train)) for result in results]}


def validations_in(minutes: float, words: int) -> int:
    """Return how often each system is validated.

    Args:
        minutes: of training.
        words: of the validation text. A model that carries its state reads them one after the other.
    """
    return max(MIN_VALIDATIONS, min(MAX_VALIDATIONS, round(VALIDATIONS_A_MINUTE * minutes), MAX_VALIDATED_WORDS // words))


def with_ngrams(name: str, result: Answer, problem: str | None, mixed: Answer) -> list[tuple[str, Answer, str | None]]:
    """Return (name, result, problem) of ours with its n-grams, which are counted at the end of the training, and without them.

    Both have the same curve up to its last point, so the second has none.
    """
    trained = result["trained"] + mixed["seconds"]
    curve = [*result["curve"], (trained, mixed["validation_loss"])]
    notes = [*result["notes"], f"{mixed['ngrams']:,} n-grams with a weight of {mixed['weight']:.2f}"]
    losses = {loss: mixed[loss] for loss in ("validation_loss", "test_loss")}
    return [
        (name, {**result, **losses, "trained": trained, "curve": curve, "notes": notes}, problem),
        (f"{name}, without its n-grams", {**result, "curve": []}, problem),
    ]


def name_of(text: Text) -> str:
    """Return the name of our parameters."""
    return f"the preset `{text.preset}`" if text.preset else "`params.yaml`"


def peers(text: Text, minutes: float, validations: int, try_compile: bool) -> list[Peer]:
    """Return the other systems, which train for some minutes."""
    model, train, batching = text.params.model, text.params.train, text.params.batching
    settings = {"ids": str(WORK), "minutes": minutes, "validations": validations, "vocabulary": text.batches.vocabulary_size}
    settings |= {"unit": text.params.vocab.unit, "compile": try_compile}
    sizes = {f"{part}_size" for part in ("embedding", "hidden", "projection")} | {"layers", "tie_weights"}
    dropout = {f"dropout_{part}" for part in ("input", "hidden", "output")}
    lstm = {**model.model_dump(include=sizes | dropout), **train.model_dump(include={"learning_rate", "weight_decay", "clip_norm"})}
    lstm |= batching.model_dump(include={"batch_size", "sequence_length"})
    scripts = (
        ("PyTorch, word_language_model, tied", "word_language_model.py", {"sizes": PUBLISHED_SIZES, "tied": True}),
        ("PyTorch, plain LSTM, our sizes, AdamW and cosine", "tied_lstm.py", lstm),
        ("PyTorch, AWD-LSTM's recipe, one cycle", "awd_lstm.py", {}),
        ("PyTorch, Transformer", "transformer.py", {}),
    )
    return [Peer(name, script, {**settings, **more}, environments.torch) for name, script, more in scripts]


def facts_of(name: str, result: Answer, problem: str | None, batches: Batches, reference: Answer, training_words: int) -> Facts:
    """Return what is kept of a system: its curve and its cells of the table. `reference` is the result of ours."""
    short = re.sub(r"^PyTorch, |: .*|, .*", "", name)
    if not result:
        return {"name": name, "short": short, "curve": [], "cells": [not_measured(problem), *[None] * (len(HEADINGS) - 2)]}
    test, relative, _, bits = quality.test_cells(batches, result["test_loss"], reference)
    cells = [
        f"{math.exp(result['validation_loss']):.1f}",
        test,
        relative,
        bits,
        f"{result['trained'] / 60:.2f}",
        number(result["words"] / training_words),
        f"{result['weights']:,}",
        f"{result['prepared']:.0f}",
    ]
    notes = f" ({'; '.join(result['notes'])})" if result["notes"] else ""
    curve = [(seconds / 60, math.exp(loss)) for seconds, loss in result["curve"]]
    return {"name": name + notes, "short": short, "curve": curve, "cells": cells}


def rows(facts: Facts) -> str:
    """Return the table of one text."""
    return table(HEADINGS, [[system["name"], *system["cells"]] for system in facts["systems"]])
