"""What somebody may overlook who trains on a text of their own: parameters and prompts that fit the shipped text only."""

from collections.abc import Iterable
from pathlib import Path

from lstm_lm.config import keys, loading
from lstm_lm.config.schema import Params
from lstm_lm.errors import UserError
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.tracking.naming import DEFAULTS
from lstm_lm.wording import counted_tokens, listed, unit_name

SHORT_TEXT_PAGE = "docs/how-to/train-on-your-own-text.md#short-texts"
SHORT_TEXT = 150_000  # words of training text: of the example on that page, 91,000 are too few for the default recipe, 224,000 are not
TOKENS_PER_WORD = {"word": 1, "subword": 1.3, "char": 6}  # of English, roughly, a character being a letter or a space
SHORT_TEXT_PARAMETERS = ("vocab.min_count", "model.dropout_input", "model.dropout_output", "train.epochs")  # that the page changes
SHIPPED_PROMPTS = ("thou art more", "to be or not to", "wherefore art thou")
MAX_SHOWN_WORDS = 8


def present_settings() -> Params | None:
    """Return the parameters of this folder; None if there are none that can be used."""
    try:
        return loading.load()
    except UserError:
        return None


def short_text_line(words: int, settings: Params) -> str | None:
    """Return a sentence on a short training text and those parameters that still have the values for a long one, or None.

    Args:
        words: of the training text, in tokens of `vocab.unit`.
        settings: all parameters.
    """
    shipped = keys.flatten_sections(loading.read(DEFAULTS))
    values = keys.flatten(settings)
    names = [name for name in SHORT_TEXT_PARAMETERS if values[name] == shipped[name]]
    if settings.vocab.unit == "subword":  # all that were learned are known
        names = [name for name in names if name != "vocab.min_count"]
    if words >= SHORT_TEXT * TOKENS_PER_WORD[settings.vocab.unit] or not names:
        return None
    to_change = ", ".join(f"{name} ({values[name]})" for name in names)
    text = counted_tokens(words, settings.vocab.unit)
    return (
        f"{text} of training text are few for the default parameters, and counted n-grams may predict it better. "
        f"What to change of params.yaml: {to_change}; {SHORT_TEXT_PAGE} has values"
    )


def shipped_prompts_line(settings: Params) -> str | None:
    """Return a sentence on prompts that are still those of the shipped text although the text is another one, or None."""
    if settings.download.source.model_dump(exclude_none=True) == loading.read(DEFAULTS)["download"]["source"]:
        return None
    sections = {"reporting": settings.reporting.prime_texts, "evaluate_sample": settings.evaluate_sample.prime_texts}
    names = [f"{section}.prime_texts" for section, prompts in sections.items() if tuple(prompts) == SHIPPED_PROMPTS]
    if not names:
        return None
    names_line = " and ".join(names)
    return f"the prompts of the samples are still those for Shakespeare's plays: set {names_line} in params.yaml to words of your text"


def unknown_prompt_words_line(prompts: Iterable[str], model: Path) -> str | None:
    """Return a sentence on words of `evaluate_sample.prime_texts` that a model does not know, or None.

    Args:
        prompts: those of the samples.
        model: folder of the SavedModel.
    """
    try:
        known = set(vocabulary.read_tokens(model / "assets/vocabulary.txt"))
        tokenizer = Tokenizer.load(model / "assets/tokenizer.json")
    except OSError:
        return None
    unknown = list(dict.fromkeys(token for prompt in prompts for token in tokenizer.tokenize(prompt) if token not in known))
    if not unknown:
        return None
    return (
        f"the model does not know these {unit_name(tokenizer.unit)} of the prompts: {listed(unknown, MAX_SHOWN_WORDS, ' ')}; "
        "evaluate_sample.prime_texts in params.yaml has the prompts"
    )
