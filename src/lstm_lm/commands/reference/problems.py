"""The page "When things go wrong": every message with its remedy."""

import re

from lstm_lm.commands.reference.messages import VALUE, Message, is_complete, messages
from lstm_lm.commands.reference.remedies import REMEDIES
from lstm_lm.commands.reference.tables import table
from lstm_lm.errors import UserError

INTRODUCTION = f"""\
# When things go wrong

Every problem that you can solve is one line, and the exit code is not 0. The line says what is wrong, which value, what is
allowed, and where to change it. Earlier outputs are kept, and the next `make repro` continues where it can.

A stack trace is a bug: please report it with the command and the trace.

To find a message, search this page for its words. `{VALUE}` stands for a value.

## First aid

| situation | what to do |
|---|---|
| a command was stopped, killed, or ran out of disk or memory | run it again; see [Resume and recover](resume-and-recover.md) |
| `dvc repro` itself fails with a message of DVC | `make repro`: it repairs what a killed `dvc` leaves, then runs the pipeline |
| outputs are missing after a failed stage | `dvc checkout --force STAGE` restores those of a stage; `make repro` makes all again |
| the tracking store did not take everything | `make resend` |
| you want to start over | `make clean`; your text, the experiments and the MLflow runs stay |
| `this Python (…) has no package …` | `source .venv/bin/activate`, in which the project's commands work; `make` needs no activation |
| the environment is broken | remove the folder `.venv`; the next `make` creates it again |
"""
# Packages and the headings of their messages, in the order in which a user meets them.
AREAS = {
    "config": "Parameters (params.yaml, presets)",
    "text": "Text and vocabulary",
    "data": "Text and vocabulary",
    "io": "Files, Git and locks",
    "jobs": "Pipeline",
    "training": "Pipeline",
    "model": "Pipeline",
    "evaluation": "Pipeline",
    "export": "The trained model",
    "generation": "Generation options",
    "serving": "Server",
    "tracking": "MLflow: tracking store and registry",
    "experiments": "Experiments, search, ablation",
    "commands": "Commands",
    "ui": "Any program",
    "errors.py": "Any program",
}
# A message holds its remedy if its last part begins with one of these.
IMPERATIVES = (
    "activate add allow ask change check choose commit copy correct create delete did download drop fetch "
    "free get give install link list log lower make mount move must name open pass promote pull put raise "
    "register remove rename restart restore resume run save see send set shorten start stop train try "
    "type unpack unset unshallow update upgrade use wait write "
).split()


def page() -> str:
    """Return the page.

    Raises:
        UserError: a message neither ends with what to do nor has an entry among the remedies, or an entry has no message.
    """
    shown = [message for message in messages() if is_complete(message)]
    unused = [start for start in REMEDIES if not any(message.template.startswith(start) for message in shown)]
    if unused:
        raise UserError(f"commands/reference/remedies.py: no message begins with {unused[0]!r}: remove the entry, or change it")
    rows: dict[str, list[list[str]]] = {heading: [] for heading in AREAS.values()}
    for message in shown:
        rows[AREAS[message.path.split("/")[0]]].append([f"`{message.template.replace('`', chr(39))}`", remedy(message)])
    sections = [f"## {heading}\n\n{table(['message', 'what to do'], of_area)}" for heading, of_area in rows.items() if of_area]
    return "\n\n".join([INTRODUCTION.strip(), *sections])


def remedy(message: Message) -> str:
    """Return what to do about a message: its entry among the remedies, else its own last part.

    Raises:
        UserError: it has neither.
    """
    for start, text in REMEDIES.items():
        if message.template.startswith(start):
            return text
    parts = re.split(r"(?<=[:;(,]) ", message.template)
    for i, part in enumerate(parts[1:], start=1):
        if part.split()[0].strip("(").lower() in IMPERATIVES:
            text = " ".join(parts[i:])
            text = f"the value {text}" if text.startswith("must ") else text
            text = text.rstrip(")") if "(" not in text else text
            return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(VALUE) else '.'}"
    raise UserError(f"{message.path}: the message {message.template!r} does not say what to do: add that, or an entry in remedies.py")
