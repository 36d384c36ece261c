"""The indexer that suits a tokenizer."""

from lstm_lm.text.indexing.base import TokenIndexer
from lstm_lm.text.indexing.chunks import ChunkIndexer
from lstm_lm.text.indexing.plain import PlainIndexer
from lstm_lm.text.tokenization.tokenizer import Tokenizer


def make_indexer(tokenizer: Tokenizer) -> TokenIndexer:
    """The fastest indexer that suits a tokenizer."""
    return ChunkIndexer(tokenizer) if tokenizer.plain_words else PlainIndexer(tokenizer)
