"""Prompts and pieces of the validation text, ready to be scored in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lstm_lm.serving.prompts.files import LoggedPrompt
from lstm_lm.text import units
from lstm_lm.text.encoded import Characters
from lstm_lm.text.tokenization.tokenizer import Tokenizer

MAX_PROMPTS = 20_000  # different ones; of more, so many at even distances in time
MAX_VALIDATION_WORDS = 200_000


@dataclass(frozen=True)
class Texts:
    """Texts that are scored from the zero state each. All lists have an entry for each text.

    Attributes:
        ids: int32 [words]; `<unk>` for unknown words.
        unknown: bool [words].
        characters: int32 [words - 1], of each scored word with its space; the first word is not scored.
        counts: how often each text occurs.
        documents: number of consecutive texts that are from the same document; all texts, added up.
    """

    ids: Sequence[np.ndarray]
    unknown: Sequence[np.ndarray]
    characters: Sequence[np.ndarray]
    counts: Sequence[int]
    documents: Sequence[int]


@dataclass(frozen=True)
class DistinctPrompts:
    """The different prompts of a log.

    Attributes:
        prompts: the first of each, in order of time.
        counts: how often each was sent.
        tokens: of each.
        wordless: number of requests whose prompt has no word.
        omitted: number of different prompts that were left out, because there are too many.
    """

    prompts: Sequence[LoggedPrompt]
    counts: Sequence[int]
    tokens: Sequence[Sequence[str]]
    wordless: int
    omitted: int


def distinct(logged: Iterable[LoggedPrompt], tokenizer: Tokenizer, limit: int = MAX_PROMPTS) -> DistinctPrompts:
    """Tokenize prompts, each different one once. Prompts are the same if their tokens are."""
    tokens_of: dict[str, tuple[str, ...]] = {}
    first: dict[tuple[str, ...], LoggedPrompt] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for each in sorted(logged, key=lambda prompt: prompt.time):
        if each.prompt not in tokens_of:
            tokens_of[each.prompt] = tuple(tokenizer.tokenize(each.prompt))
        tokens = tokens_of[each.prompt]
        counts[tokens] += 1
        first.setdefault(tokens, each)
    wordless = counts.pop((), 0)
    first.pop((), None)
    kept = [list(first)[i] for i in np.linspace(0, len(first) - 1, min(limit, len(first))).round().astype(int)]
    return DistinctPrompts([first[each] for each in kept], [counts[each] for each in kept], kept, wordless, len(first) - len(kept))


def encode(prompts: DistinctPrompts, tokenizer: Tokenizer, words: Sequence[str]) -> Texts:
    """Turn prompts into ids.

    Args:
        prompts: at least one.
        tokenizer: of the model.
        words: the vocabulary, in the order of the ids.
    """
    id_of = {word: i for i, word in enumerate(words)}
    own = {token: i for i, token in enumerate(dict.fromkeys(token for tokens in prompts.tokens for token in tokens))}
    lengths = units.characters(tokenizer, list(own))
    ids, unknown, characters = [], [], []
    for tokens in prompts.tokens:
        encoded = np.array([id_of.get(token, 0) for token in tokens], np.int32)
        ids.append(encoded)
        unknown.append(encoded == 0)
        numbers = np.array([own[token] for token in tokens], np.int32)
        characters.append(lengths.count(numbers[1:], int(numbers[0])))
    return Texts(ids, unknown, characters, prompts.counts, [1] * len(ids))


def pieces_like(documents: Sequence[np.ndarray], characters: Characters, vocabulary_size: int, lengths: Sequence[int], seed: int) -> Texts:
    """Split documents into pieces that are as long as prompts are: the first words of a text are more surprising than later ones.

    Args:
        documents: int32 [words] each; ids from `vocabulary_size` on are unknown words.
        characters: how many each of these ids has.
        vocabulary_size: number of ids that the model knows.
        lengths: words of the prompts. Their order does not matter.
        seed: of the order of the lengths of the pieces.
    """
    generator = np.random.default_rng(seed)
    total = sum(map(len, documents))
    keep = min(1.0, MAX_VALIDATION_WORDS / max(total, 1))  # of a larger text, a part of the pieces
    ids, unknown, sizes, of_documents, due = [], [], [], [], 0.0
    for document in documents:
        start = number = 0
        while start < len(document):
            stop = min(len(document), start + int(generator.choice(lengths)))
            due += keep
            if due >= 1:
                due -= 1
                piece = np.asarray(document[start:stop])
                ids.append(np.where(piece < vocabulary_size, piece, 0).astype(np.int32))
                unknown.append((piece >= vocabulary_size) | (piece == 0))
                sizes.append(characters.count(piece[1:], int(piece[0])))
                number += 1
            start = stop
        of_documents.append(number)
    return Texts(ids, unknown, sizes, [1] * len(ids), of_documents)
