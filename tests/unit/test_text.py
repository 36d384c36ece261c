import numpy as np
import pytest

import plain
from lstm_lm.data.dataset import held_out
from lstm_lm.text import encoded, splits
from lstm_lm.text.indexing import Numbering
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.text.tokenization.vocabulary import Vocabulary

TOKENIZE = Tokenizer(True, "-'<>")
TEXTS = {f"{i:02}.txt": f"the king <unk> and unknown the queen {word} {word} ' é{word}\n" * (i + 2) for i, word in enumerate("zyxwvu")}


def numbered(folder, texts, block=50):
    for name, content in texts.items():
        (folder / name).write_text(content)
    numbering = Numbering(TOKENIZE)
    found = encoded.number([(name, folder / name) for name in texts], numbering, folder)
    return numbering, found


@pytest.mark.parametrize("split_by", ["documents", "spans"])
def test_ids_counts_and_held_out_facts_are_those_of_lists_of_words(tmp_path, split_by):
    words = {name: TOKENIZE(content) for name, content in TEXTS.items()}
    numbering, whole = numbered(tmp_path, TEXTS)
    assert whole.documents == {name: len(document) for name, document in words.items()}

    parts = splits.split(whole.documents, 0.2, 0.2, split_by, 1)
    of = {name: [words[span.document][span.start : span.stop] for span in parts[name]] for name in splits.SPLITS}
    counts = {name: whole.part(parts[name]).counts(len(numbering.words)) for name in splits.SPLITS}
    for name in splits.SPLITS:
        joined = [word for document in of[name] for word in document]
        assert counts[name].tolist() == [joined.count(word.decode()) for word in numbering.words]

    known, kept, order = Vocabulary.build(numbering.words, counts["train"], 3, None)
    training = [word for document in of["train"] for word in document]
    assert list(zip(known.words, kept.tolist(), strict=True)) == plain.vocabulary(training, 3, None)

    encoded.finish(whole, tmp_path, order, numbering.lengths(), len(known))
    again, characters, size = encoded.load(tmp_path)
    lengths = characters.lengths
    assert (again.documents, size) == (whole.documents, len(known))
    spelt = ["", *[numbering.words[i].decode() for i in order]]
    assert [spelt[i] for i in again.ids] == [word for document in words.values() for word in document]
    assert lengths.tolist() == [len("<unk>"), *map(len, spelt[1:])]
    unknown = spelt[size:]
    assert unknown == sorted(unknown, key=lambda word: (-training.count(word), word))
    assert "<unk>" in unknown

    for name in splits.SPLITS:
        part = again.part(parts[name])
        ids = [known.encode(document) for document in of[name]]
        about, joined = plain.held_out([span.document for span in parts[name]], of[name], ids)
        assert held_out(part, characters, size) == about
        assert len(part) == len(joined)
        for block in (1, 7, 10**6):
            assert np.concatenate(list(part.blocks_without_unknown(size, block))).tolist() == joined.tolist()


def test_a_text_without_words_is_empty(tmp_path):
    numbering, whole = numbered(tmp_path, {"a.txt": "?!", "b.txt": ""})
    assert whole.documents == {"a.txt": 0, "b.txt": 0}
    assert len(whole.ids) == 0
    assert numbering.words == []
