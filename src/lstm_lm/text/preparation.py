"""Documents -> the folder data/vocab: the tokenizer, the vocabulary, the splits, and the text as ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lstm_lm import paths
from lstm_lm.config.schema import Vocab
from lstm_lm.errors import UserError
from lstm_lm.text import encoded, retokenize, splits, units
from lstm_lm.text.duplicates import NearDuplicate, find_near_duplicates
from lstm_lm.text.encoded import Characters, Text
from lstm_lm.text.indexing.base import TokenIndexer
from lstm_lm.text.indexing.factory import make_indexer
from lstm_lm.text.splits import SPLITS, Spans
from lstm_lm.text.tokenization.symbols import UNKNOWN
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.text.tokenization.vocabulary import CountedVocabulary, build_vocabulary
from lstm_lm.wording import counted

MIN_VOCABULARY = 2  # words besides `<unk>`

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TokenizedText:
    """The text in tokens, which have indices but no ids yet.

    Attributes:
        tokenizer: with its subwords, if it has any.
        text: of tokens.
        spans: the splits, in tokens.
        tokens: the distinct tokens in UTF-8, by index.
        characters: of the tokens, by index.
    """

    tokenizer: Tokenizer
    text: Text
    spans: Spans
    tokens: list[bytes]
    characters: Characters


@dataclass(frozen=True)
class Preparation:
    """What `prepare` made of the text.

    Attributes:
        vocabulary: the known tokens and their counts.
        counts: {split: int64 [tokens], occurrences of each token}.
        tokens: the distinct tokens in UTF-8.
        spans: the splits, in words.
        documents: {name: number of words}.
        near_duplicates: held-out spans that are largely in the training text, too.
    """

    vocabulary: CountedVocabulary
    counts: dict[str, Counts]
    tokens: list[bytes]
    spans: Spans
    documents: dict[str, int]
    near_duplicates: list[NearDuplicate]

    def metrics(self) -> dict[str, Any]:
        """The size of the vocabulary and, for each split, its size and how much of it is known."""
        size = len(self.vocabulary.vocabulary)
        # `<unk>` in a prepared text is not counted as unknown here.
        is_unknown = np.array([token != UNKNOWN.encode() for token in self.tokens], bool)
        is_unknown[self.vocabulary.order[: size - 1]] = False
        metrics: dict[str, Any] = {"size": size, "words_seen": int(np.count_nonzero(self.counts["train"]))}
        for name in SPLITS:
            words, unknown = int(self.counts[name].sum()), int(self.counts[name][is_unknown].sum())
            metrics[name] = {
                "documents": len(self.spans[name]),
                "words": words,
                "coverage": round(1 - unknown / words, 6),
                "oov_rate": round(unknown / words, 6),
            }
        return metrics


def prepare(files: Sequence[tuple[str, Path]], config: Vocab, folder: Path, *, cleaned: bool) -> Preparation:
    """Tokenize documents, split them, build the vocabulary, and write all of it.

    Args:
        files: [(document's name, path), ...], in order of name.
        config: section `vocab` of params.yaml.
        folder: empty; takes the result.
        cleaned: whether the documents have straight quotes only (`download.clean`), so that prompts must have them too.
    Raises:
        UserError: there are too few words.
    """
    straight_quotes = cleaned or config.punctuation != "as_is"
    tokenizer = Tokenizer(
        config.lowercase, config.keep_punctuation, config.punctuation, config.newlines, config.unit, straight_quotes=straight_quotes
    )
    indexer = make_indexer(tokenizer)
    words = encoded.index_tokens(files, indexer, folder)
    if not len(words.ids):
        raise UserError("nothing is left of the text after cleaning: see params.yaml: vocab.keep_punctuation and download.encoding")
    # The split is made in words, so that the same text is held out whatever the tokens are.
    spans = splits.split(words.documents, config.validation, config.test, config.split_by, config.split_seed)
    near_duplicates = find_near_duplicates(words, spans)
    if config.unit == "word":
        tokenized = TokenizedText(tokenizer, words, spans, indexer.words, _word_characters(tokenizer, indexer))
    else:
        tokenized = _split_into_units(tokenizer, words, spans, indexer.pretokens(), config.max_size, folder)
    counts = {name: tokenized.text.part(tokenized.spans[name]).counts(len(tokenized.tokens)) for name in SPLITS}
    vocabulary = _build_vocabulary(tokenized, counts["train"], config)
    digests = {name: encoded.digest_part(tokenized.text.part(tokenized.spans[name]), tokenized.tokens) for name in SPLITS[1:]}
    encoded.finish(tokenized.text, folder, vocabulary.order, tokenized.characters, len(vocabulary.vocabulary), digests)
    vocabulary.vocabulary.save(folder / paths.VOCABULARY.name, vocabulary.counts)
    splits.save(tokenized.spans, folder / paths.SPLITS.name)
    tokenized.tokenizer.save(folder / paths.TOKENIZER.name)
    return Preparation(vocabulary, counts, tokenized.tokens, spans, words.documents, near_duplicates)


def _word_characters(tokenizer: Tokenizer, indexer: TokenIndexer) -> Characters:
    if tokenizer.plain_words:  # faster, for millions of words
        lengths = indexer.word_lengths()
        return Characters(lengths, np.zeros_like(lengths))
    return units.characters(tokenizer, [word.decode() for word in indexer.words])


def _split_into_units(
    tokenizer: Tokenizer, words: Text, spans: Spans, pretokens: list[str], max_size: int | None, folder: Path
) -> TokenizedText:
    """Replace words by characters or subwords, which are learnt from the training text."""
    train_counts = words.part(spans["train"]).counts(len(pretokens))
    tokenizer = units.learn_subwords(tokenizer, pretokens, train_counts, max_size)
    tokens, tokens_of_pretokens = units.split_pretokens(tokenizer, pretokens)
    text, token_spans = retokenize.retokenize(words, spans, folder, tokens_of_pretokens)
    return TokenizedText(tokenizer, text, token_spans, [token.encode() for token in tokens], units.characters(tokenizer, tokens))


def _build_vocabulary(tokenized: TokenizedText, counts: Counts, config: Vocab) -> CountedVocabulary:
    """The vocabulary of the training text, of which `counts` are the tokens' occurrences."""
    text_has_unknown = config.punctuation == "as_is"
    if config.unit == "subword":  # all that were learnt are known
        allowed = units.allowed_in_vocabulary(tokenized.tokenizer, [token.decode() for token in tokenized.tokens])
        built = build_vocabulary(tokenized.tokens, counts, min_count=0, max_size=None, text_has_unknown=text_has_unknown, allowed=allowed)
    else:
        built = build_vocabulary(
            tokenized.tokens, counts, min_count=config.min_count, max_size=config.max_size, text_has_unknown=text_has_unknown
        )
    known = len(built.vocabulary) - 1
    if known < MIN_VOCABULARY:
        raise UserError(
            f"a vocabulary of {counted(known, 'word')} besides <unk> cannot be learned: see params.yaml: "
            f"vocab.min_count ({config.min_count}) and vocab.max_size ({config.max_size or 'null'}), or add more text"
        )
    return built
