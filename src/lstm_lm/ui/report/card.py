"""The model card: what a model is, what it was made from, how good it is and where it fails, as Markdown.

Its sections are those of Mitchell et al. 2019 (Model Cards for Model Reporting). Everything in it comes from the files of the run.
"""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_lm.generation import options
from lstm_lm.io import atomic
from lstm_lm.io.addresses import mask_secrets
from lstm_lm.ui import data_license, markdown
from lstm_lm.ui.report import card_results, energy, numbers
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.report.reproduction import missing_from_commit
from lstm_lm.wording import counted, duration

FILE = "reports/model_card.md"
MAX_FILES = 20  # names of held-out files in the card
HEADING = "## "
MODEL_NAME = "model"  # of the logged model of a run
# A card that is too long for the registry is shortened in these steps: (title of a section, how many of its paragraphs stay).
STEPS = (
    ("Generation options", 1),
    ("Perplexity by frequency and position", 0),
    ("Memorization", 1),
    ("Splits", 2),
    ("How to reproduce", 0),
    ("Training", 0),
    ("Calibration", 0),
    ("Training data", 0),
    ("Splits", 0),
    ("Generation options", 0),
    ("Memorization", 0),
    ("How to use", 0),
    ("Intended use", 0),
    ("Model details", 0),
    ("Evaluation", 0),
    ("Limits", 0),
)

PREPARATION: Mapping[str, Mapping[Any, str]] = {  # parameters that shape the text, and what their values mean
    "download.clean": {True: "markup and license texts removed, quotes straightened", False: "left as it is"},
    "vocab.lowercase": {True: "lower case", False: "upper and lower case"},
    "vocab.punctuation": {"drop": "without punctuation", "separate": "punctuation as tokens", "as_is": "punctuation part of the tokens"},
    "vocab.newlines": {True: "newlines as tokens", False: "without newlines"},
}


@dataclass(frozen=True)
class CardInputs:
    """What the card is made from.

    Attributes:
        files: of models/ and reports/.
        registered_model: the name in the registry.
    """

    files: Inputs
    registered_model: str

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that the run had, by dotted names; empty if they were not recorded."""
        return dict(self.files.mapping("run").get("parameters") or {})

    def parameter(self, name: str) -> Any:
        """Return a parameter by its dotted name, or None."""
        return self.parameters.get(name)

    @property
    def unit(self) -> str:
        """What one token is called."""
        return numbers.units(self.files.unit, 1)

    @property
    def units(self) -> str:
        """What tokens are called."""
        return numbers.units(self.files.unit)


def build(inputs: CardInputs) -> str:
    """Return the card. Its first line is the result, as plain text."""
    texts = [f"{card_results.result_line(inputs.files)}.", "# Model card"]
    texts += [f"{HEADING}{title}\n\n{section(inputs)}" for title, section in SECTIONS.items()]
    return mask_secrets("\n\n".join(texts)) + "\n"


def write(files: Inputs, registered_model: str, folder: str | Path = ".") -> None:
    """Write reports/model_card.md.

    Args:
        files, registered_model: see `CardInputs`.
        folder: of the project.
    """
    atomic.write_text(Path(folder) / FILE, build(CardInputs(files, registered_model)))


def shortened(card: str, limit: int, pointer: str) -> str:
    """Leave out parts of a card until it fits, and say where the whole card is.

    Args:
        card: of `build`.
        limit: in bytes of UTF-8, in which some databases count.
        pointer: a line of Markdown, which is added if anything is left out.
    """
    text = card.strip()
    start, *parts = text.split(f"\n\n{HEADING}")
    sections = {part.partition("\n\n")[0]: part.partition("\n\n")[2].split("\n\n") for part in parts}
    for title, paragraphs in STEPS:
        if len(text.encode()) <= limit:
            return text
        if not paragraphs:
            sections.pop(title, None)
        elif title in sections:
            sections[title] = sections[title][:paragraphs]
        text = "\n\n".join([start, *(f"{HEADING}{name}\n\n" + "\n\n".join(kept) for name, kept in sections.items()), pointer])
    return cut(text, limit)


def cut(text: str, limit: int) -> str:
    """Return the beginning of a text that fits into so many bytes of UTF-8."""
    return text.encode()[: max(0, limit)].decode(errors="ignore")


def code(text: object) -> str:
    """Return a text as code, in which Markdown changes nothing."""
    shown = " ".join(str(text).split("\n"))
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def file_list(names: Sequence[str]) -> str:
    """Return names of files, the first ones if there are many."""
    rest = len(names) - MAX_FILES
    return ", ".join(map(code, names[:MAX_FILES])) + (f" and {rest:,} more" if rest > 0 else "")


def _model_details(inputs: CardInputs) -> str:
    files, model = inputs.files, inputs.files.mapping("model")
    rows = [
        ["kind", f"LSTM language model; a token is one {inputs.unit}"],
        ["architecture", architecture(inputs)],
        ["parameters", numbers.count(model.get("parameters"))],
        ["vocabulary", f"{numbers.count(model.get('vocabulary_size'))} {inputs.units}, `<unk>` among them"],
        ["precision of matrix products", model.get("precision") or "not recorded"],
        [
            "weights of",
            f"step {numbers.count(model.get('best_step'))} (epoch {numbers.count(model.get('best_epoch'))}) of "
            f"{numbers.count(model.get('steps'))} steps: the lowest validation loss",
        ],
        ["MLflow run", code(files.run.get("run_id", "not recorded"))],
    ]
    if start := inputs.parameter("train.init_from"):
        rows.insert(5, ["started from", code(start)])
    return _facts(rows)


def architecture(inputs: CardInputs) -> str:
    """Say in words what the layers are."""
    shape = inputs.files.config.get("shape")
    if not shape:
        return "not recorded"
    layers = f"{counted(shape['layers'], 'LSTM layer')} of {shape['hidden_size']:,} units"
    rounds = shape.get("mogrifier_rounds", 0)
    layers += f" with {counted(rounds, 'mogrifier round')}" if rounds else ""
    projection = f", a projection to {shape['projection_size']:,}" if shape.get("projection_size") else ""
    kind = "an adaptive softmax" if shape.get("adaptive_cutoffs") else "a softmax"
    tied = ", which shares the embedding's weights" if shape.get("tie_weights") else ""
    members = shape.get("members", 1)
    ensemble = f"an ensemble of {counted(members, 'model')}, each with " if members > 1 else ""
    mixed = ""
    if ngrams := inputs.files.config.get("ngrams"):
        mixed = f", mixed with Kneser-Ney {ngrams['order']}-grams of a weight of {ngrams['weight']:g}"
    return f"{ensemble}an embedding of {shape['embedding_size']:,}, {layers}{projection}, and {kind} over all {inputs.units}{tied}{mixed}"


def _intended_use(inputs: CardInputs) -> str:
    return "\n".join(
        [
            "- Continuing a prompt in the style of the training text.",
            f"- Scoring text: how surprising each {inputs.unit} is, and which one is likely next.",
            "- Teaching, and comparing language models that are trained on the same text.",
            "",
            "Out of scope:",
            "",
            "- Questions, instructions, facts and advice. It only continues text, and what it generates may be false.",
            "- Languages, periods and kinds of text other than those of the training text.",
            "- Decisions about people, and text that is published without a person having read it.",
        ]
    )


def _training_data(inputs: CardInputs) -> str:
    source = inputs.files.mapping("source")
    rows = [[name, code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))] for name, value in source.items()]
    preparation = [text for name, texts in PREPARATION.items() if (text := texts.get(inputs.parameter(name)))]
    lines = [f"Source of the text:\n\n{_facts(rows)}" if rows else "The source of the text was not recorded."]
    if preparation:
        lines.append(f"Preparation: {', '.join(preparation)}.")
    lines.append(f"License: {data_license.describe(source)}")
    return "\n\n".join(lines)


def _splits(inputs: CardInputs) -> str:
    splits = inputs.files.mapping("splits")
    if not splits:
        return "Not recorded for this run."
    rows, held_out = [], []
    files = {name: list((splits.get(name) or {}).get("files") or []) for name in ("train", "validation", "test")}
    for name, names in files.items():
        split = splits.get(name) or {}
        rows.append([name, numbers.count(split.get("documents")), numbers.count(split.get("words"))])
        if name != "train" and names:
            part = "the end of each of these files" if set(names) & set(files["train"]) else "whole files"
            held_out.append(f"{name.capitalize()} text, {part}: {file_list(names)}.")
    return "\n\n".join([*reversed(held_out), markdown.table(["split", "documents", inputs.units], rows)])


def _training(inputs: CardInputs) -> str:
    names = {
        "recipe": "batching.recipe",
        "epochs, at most": "train.epochs",
        "minutes": "train.minutes",
        "optimizer": "train.optimizer",
        "learning rate": "train.learning_rate",
        "schedule": "train.schedule",
        "batch size": "batching.batch_size",
        f"{inputs.units} per step of truncated backpropagation": "batching.sequence_length",
        "seed": "train.seed",
    }
    rows = [[title, _value(value)] for title, name in names.items() if (value := inputs.parameter(name)) is not None]
    dropout = {name: value for name, value in inputs.parameters.items() if name.startswith("model.dropout_") and value}
    if dropout:
        rows.append(["dropout", ", ".join(f"{name.removeprefix('model.dropout_')} {_value(value)}" for name, value in dropout.items())])
    return _facts([*rows, *_costs(inputs.files)])


def _costs(files: Inputs) -> list[list[str]]:
    """Rows on what the training took. Runs of earlier versions did not record it."""
    run = files.run
    seconds = files.training_seconds
    rows = [["time", duration(seconds) if seconds is not None else "not recorded"]]
    if run.get("cpu_seconds") is not None:
        rows.append(["CPU time", duration(run["cpu_seconds"])])
    rows.append(["energy", energy.consumption(run)])
    rows.append(["machine", str(run.get("machine") or "not recorded")])
    return rows


def _generation_options(inputs: CardInputs) -> str:
    rows = [
        [code(row.name), _value(row.default), f"{row.help}{f' ({row.source})' if row.source else ''}".replace("<eos>", "`<eos>`")]
        for row in options.options()
    ]
    defaults = ", ".join(f"{code(row.name)} {_value(row.default)}" for row in options.options())
    stop = "`stop`, a list of strings before which a text ends"
    served = f"The served model takes these options, here with their defaults: {defaults}; and {stop}."
    return f"{served}\n\n{_table(['option', 'default', 'what it does'], rows)}"


def _how_to_use(inputs: CardInputs) -> str:
    champion, prompt = f"models:/{inputs.registered_model}@champion", _prompt(inputs)
    run_id = inputs.files.run.get("run_id")
    # MLflow resolves the name of a run's logged model; the version is not known yet when the card is written.
    address, serve = (
        (f"runs:/{run_id}/{MODEL_NAME}", f"make serve MODEL={run_id}") if run_id else (champion, f"make serve MODEL={champion}")
    )
    which = "This model" if run_id else "The registry's champion, which may be another model,"
    other = f" `{champion}` in its place is the registry's champion." if run_id else ""
    body = json.dumps({"prompt": prompt, "max_tokens": 20}, ensure_ascii=False)
    return f"""{which} served, with a page to try it and the API of OpenAI's completions:

```
{serve}
curl http://127.0.0.1:5001/v1/completions -H 'Content-Type: application/json' -d {shlex.quote(body)}
```

Loaded from MLflow, with TensorFlow.{other}

```python
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model("{address}")
model.predict(pd.DataFrame({{"prompt": [{prompt!r}]}}), params={{"max_words": 20}})
```"""


def _prompt(inputs: CardInputs) -> str:
    return inputs.files.samples[0].prompt if inputs.files.samples else "to be or not to"


def _how_to_reproduce(inputs: CardInputs) -> str:
    run = inputs.files.mapping("run")
    checkout = f"git checkout {run['commit']}\n" if run.get("commit") else ""
    note = "Put the run's `params.yaml`, an artifact of the run, in place of the checkout's, then run `make repro`."
    if missing := missing_from_commit(run):
        note += f" {missing}"
    same = (
        "The same machine gives the same weights bit for bit; on another one rounding differs. "
        "`make report` draws this card and `reports/report.html` again, without a training."
    )
    return f"{note}\n\n```\n{checkout}make repro\n```\n\n{same}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def _facts(rows: Sequence[Sequence[str]]) -> str:
    """A list of facts: in MLflow's narrow pages, it is easier to read than a table."""
    return "\n".join(f"- **{name}**: {value}" for name, value in rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts: all columns are aligned left."""
    return markdown.table(headings, rows).replace("---:", "---")


def _of_files(section: Callable[[Inputs], str]) -> Callable[[CardInputs], str]:
    return lambda inputs: section(inputs.files)


SECTIONS: Mapping[str, Callable[[CardInputs], str]] = {
    "Model details": _model_details,
    "Intended use": _intended_use,
    "Training data": _training_data,
    "Splits": _splits,
    "Training": _training,
    "Evaluation": _of_files(card_results.evaluation),
    "Perplexity by frequency and position": _of_files(card_results.bands),
    "Memorization": _of_files(card_results.memorization),
    "Calibration": _of_files(card_results.calibration),
    "Limits": _of_files(card_results.limits),
    "Generation options": _generation_options,
    "How to use": _how_to_use,
    "How to reproduce": _how_to_reproduce,
}
