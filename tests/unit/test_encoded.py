import numpy as np
import pytest

import plain
from lstm_lm.data.description import describe_held_out
from lstm_lm.text import encoded, splits
from lstm_lm.text.encoded import Characters
from lstm_lm.text.indexing.chunks import ChunkIndexer
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.text.tokenization.vocabulary import build_vocabulary

TOKENIZER = Tokenizer(True, "-'<>")
TEXTS = {f"{i:02}.txt": f"the king <unk> and unknown the queen {word} {word} ' é{word}\n" * (i + 2) for i, word in enumerate("zyxwvu")}


def index(folder, texts):
    for name, content in texts.items():
        (folder / name).write_text(content)
    indexer = ChunkIndexer(TOKENIZER)
    return indexer, encoded.index_tokens([(name, folder / name) for name in texts], indexer, folder)


@pytest.mark.parametrize("split_by", ["documents", "spans"])
def test_ids_counts_and_held_out_statistics_match_lists_of_words(tmp_path, split_by):
    words = {name: TOKENIZER.tokenize(content) for name, content in TEXTS.items()}
    indexer, whole = index(tmp_path, TEXTS)
    assert whole.documents == {name: len(document) for name, document in words.items()}

    parts = splits.split(whole.documents, 0.2, 0.2, split_by, 1)
    words_by_split = {name: [words[span.document][span.start : span.stop] for span in parts[name]] for name in splits.SPLITS}
    counts = {name: whole.part(parts[name]).counts(len(indexer.words)) for name in splits.SPLITS}
    for name in splits.SPLITS:
        all_words = [word for document in words_by_split[name] for word in document]
        assert counts[name].tolist() == [all_words.count(word.decode()) for word in indexer.words]

    known, kept, order = build_vocabulary(indexer.words, counts["train"], min_count=3, max_size=None)
    training = [word for document in words_by_split["train"] for word in document]
    assert list(zip(known.words, kept.tolist(), strict=True)) == plain.vocabulary(training, 3, None)

    lengths = indexer.word_lengths()
    encoded.finish(whole, tmp_path, order, Characters(lengths, np.zeros_like(lengths)), len(known), {})
    assert not (tmp_path / encoded.SPACING_FILE).exists()
    loaded, characters, size = encoded.load(tmp_path)
    assert not characters.spacing.any()
    assert (loaded.documents, size) == (whole.documents, len(known))
    by_id = ["", *[indexer.words[i].decode() for i in order]]
    assert [by_id[i] for i in loaded.ids] == [word for document in words.values() for word in document]
    assert characters.lengths.tolist() == [len("<unk>"), *map(len, by_id[1:])]
    unknown = by_id[size:]
    assert unknown == sorted(unknown, key=lambda word: (-training.count(word), word))
    assert "<unk>" in unknown

    for name in splits.SPLITS:
        part = loaded.part(parts[name])
        ids = [known.encode(document) for document in words_by_split[name]]
        description, all_ids = plain.held_out([span.document for span in parts[name]], words_by_split[name], ids)
        assert describe_held_out(part, characters, size) == description
        assert len(part) == len(all_ids)
        documents = part.documents_without_unknown(size)
        assert [document.tolist() for document in documents] == [document.tolist() for document in ids]
        for block in (1, 7, 10**6):
            assert np.concatenate(list(part.blocks_without_unknown(size, block))).tolist() == all_ids.tolist()


def test_a_text_without_words_is_empty(tmp_path):
    indexer, whole = index(tmp_path, {"a.txt": "?!", "b.txt": ""})
    assert whole.documents == {"a.txt": 0, "b.txt": 0}
    assert len(whole.ids) == 0
    assert indexer.words == []


def test_saved_spacing_is_loaded_in_the_order_of_ids(tmp_path):
    _, text = index(tmp_path, {"a.txt": "b a b"})
    encoded.finish(
        text, tmp_path, np.array([1, 0]), Characters(np.array([1, 2]), np.array([encoded.NO_SPACE_AFTER, 0])), 3, {"test": "abc"}
    )
    loaded = encoded.load(tmp_path)
    assert encoded.digest_of_test_text(tmp_path) == "abc"
    assert loaded.characters.lengths.tolist() == [len("<unk>"), 2, 1]
    assert loaded.characters.spacing.tolist() == [0, 0, encoded.NO_SPACE_AFTER]


def test_unknown_words_become_the_unknown_token():
    assert encoded.replace_unknown(np.array([0, 3, 1, 4, 2], np.int32), 3).tolist() == [0, 0, 1, 0, 2]
