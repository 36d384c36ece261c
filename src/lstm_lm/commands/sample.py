"""Command `sample`: continue a prompt with this checkout's model."""

import dataclasses
import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from lstm_lm.commands import remote_model
from lstm_lm.commands.remote_model import ApiKey, Url
from lstm_lm.errors import UserError
from lstm_lm.generation import options
from lstm_lm.generation.options import MAX_PROMPT_CHARACTERS, GenerationOptions, Option
from lstm_lm.wording import listed, unit_name

PROMPT_HELP = "text to continue (default: the first of evaluate_sample.prime_texts in params.yaml)"
MAX_SHOWN_WORDS = 8  # of a prompt that the model does not know
Stop = Annotated[
    list[str] | None, typer.Option(help="end a text before this string is generated; give it several times for several", show_default=False)
]


@dataclass(frozen=True)
class Source:
    """What generates the texts, and where they end.

    Attributes:
        stop: a text ends before the first of these strings.
        url: address of a server; None: the model in models/saved_model.
        api_key: of the server, or None.
    """

    stop: tuple[str, ...] = ()
    url: str | None = None
    api_key: str | None = None


def sample(prompt: str | None, generation: GenerationOptions, source: Source) -> None:
    """Continue a prompt with the model in models/saved_model, or with that of a running server. Words are shown as they are generated."""
    from lstm_lm.commands import local_model
    from lstm_lm.commands.text_printer import TextPrinter
    from lstm_lm.config import loading

    if prompt is None:
        prompt = loading.load().evaluate_sample.prime_texts[0]
    check_prompt(prompt)
    if any(not text for text in source.stop):
        raise UserError("--stop '': must be a text of at least one character")
    if (server := remote_model.named(source.url, source.api_key)) is not None:
        note_unknown_words(server.tokens(prompt))
        if generation.stop_at_sentence_end:
            note_no_effect(server.sentence_ends())
        TextPrinter().print_all(server.complete(prompt, generation, source.stop))
        return
    folder, known_words, _ = find_model(prompt)
    if generation.stop_at_sentence_end and note_no_effect([word for word in options.SENTENCE_ENDS if word in known_words]):
        generation = dataclasses.replace(generation, stop_at_sentence_end=False)
    engine = local_model.load_engine(folder)
    TextPrinter().print_all(local_model.complete(engine, prompt, generation, source.stop))
    engine.close()  # not after Ctrl-C, which would have to wait for the engine's thread


class FoundModel(NamedTuple):
    """This checkout's model: its folder, the words that it knows, and what a word of it is (`vocab.unit`)."""

    folder: Path
    known_words: list[str]
    unit: str


def find_model(prompt: str) -> FoundModel:
    """Find this checkout's model. Words of the prompt that it does not know are reported.

    Raises:
        UserError: there is no model, or the prompt contains no words.
    """
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.text.tokenization import vocabulary
    from lstm_lm.text.tokenization.tokenizer import Tokenizer

    folder = find_saved_model()
    known_words = vocabulary.read_tokens(folder / "assets/vocabulary.txt")[1:]
    tokenizer, known = Tokenizer.load(folder / "assets/tokenizer.json"), set(known_words)
    tokens = tokenizer.tokenize(prompt)
    if not tokens:
        raise UserError(f"the prompt {prompt!r} contains no words: add at least one")
    note_unknown_words([(token, token in known) for token in tokens], tokenizer.unit)
    return FoundModel(folder, known_words, tokenizer.unit)


def with_generation_options(command: Callable[[str | None, GenerationOptions, Source], None]) -> Callable[..., None]:
    """Return a command for typer that has a flag for each row of the table of generation options, and those of `Source`.

    Args:
        command: takes the prompt, or None, the checked options, and the source.
    """

    def flagged(prompt: str | None, stop: list[str] | None, url: str | None, api_key: str | None, **values: Any) -> None:
        checked = check_options(values) if url is None else check_for_server(values)
        command(prompt, checked, Source(tuple(stop or ()), url, api_key))

    parameters = [_parameter("prompt", Annotated[str | None, typer.Argument(help=PROMPT_HELP, show_default=False)], None)]
    parameters += [_parameter(row.name, Annotated[row.type, _flag(row)], row.default) for row in options.options()]
    parameters += [_parameter("stop", Stop, None), _parameter("url", Url, None), _parameter("api_key", ApiKey, None)]
    # typer reads both.
    flagged.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions do have it: PEP 362
    flagged.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    flagged.__doc__ = command.__doc__
    return flagged


def _parameter(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _flag(row: Option) -> Any:
    """The flag of an option. Its bounds are checked with the table's own words, by `check_options` or by a server."""
    facts = "; ".join(filter(None, ["" if row.type is bool else row.allowed, row.source]))
    return typer.Option(flag_name(row.name), help=f"{row.help} ({facts})" if facts else row.help)


def flag_name(name: str) -> str:
    """`top_p` -> `--top-p`."""
    return f"--{name.replace('_', '-')}"


def check_options(values: dict[str, Any]) -> GenerationOptions:
    """Check the values of the flags.

    Raises:
        UserError: one of them is not allowed; the message names flags, not options.
    """
    try:
        return options.check(values)
    except ValueError as error:
        names = "|".join(options.by_name())
        raise UserError(re.sub(rf"\b({names})\b", lambda match: flag_name(match[1]), str(error))) from None


def check_for_server(values: dict[str, Any]) -> GenerationOptions:
    """Return the values of the flags for a server. It checks them itself, because its limits are others.

    Raises:
        UserError: a value that JSON has no form for.
    """
    if all(math.isfinite(value) for value in values.values()):
        return GenerationOptions(**values)
    return check_options(values)


def check_prompt(prompt: str) -> None:
    """Check what can be checked without a model.

    Raises:
        UserError: the prompt is not UTF-8, blank or too long.
    """
    if any("\ud800" <= character <= "\udfff" for character in prompt):  # how Python represents bytes in another encoding
        raise UserError("the prompt is not UTF-8: type it in a terminal that uses UTF-8")
    if not prompt.strip():
        raise UserError(f"the prompt {prompt!r} contains no words: add at least one")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise UserError(f"the prompt has {len(prompt):,} characters: must be at most {MAX_PROMPT_CHARACTERS:,}")


def note_unknown_words(tokens: Sequence[tuple[str, bool]], unit: str | None = None) -> None:
    """Report words of a prompt that the model does not know: to it, all of them are the same word.

    Args:
        tokens: of the prompt, each with whether the model knows it.
        unit: what a token is, or None if that is unknown.
    """
    from lstm_lm.text.tokenization import bpe
    from lstm_lm.ui import terminal

    unknown = list(dict.fromkeys(token for token, is_known in tokens if not is_known))
    if not unknown:
        return
    if not any(is_known for token, is_known in tokens if token not in (" ", bpe.SPACE)):
        terminal.note(f"the model knows no {unit_name(unit, 1)} of the prompt: what follows has nothing to do with it")
        return
    terminal.note(f"the model does not know these {unit_name(unit)} of the prompt: {listed(unknown, MAX_SHOWN_WORDS, ' ')}")


def note_no_effect(sentence_ends: Sequence[str]) -> bool:
    """Report that --stop-at-sentence-end has no effect with a model that has no such words. Returns whether that is so."""
    from lstm_lm.ui import terminal

    if sentence_ends:
        return False
    terminal.note(f"--stop-at-sentence-end has no effect: none of {' '.join(options.SENTENCE_ENDS)} is a word of the model")
    return True
