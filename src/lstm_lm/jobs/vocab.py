"""Stage `vocab`: data/raw -> data/vocab: what a token is, which are known, which text is held out, and the text as ids."""

import json
from pathlib import Path

import numpy as np

from lstm_lm.errors import UserError
from lstm_lm.io import folders
from lstm_lm.text import encoded, indexing, splits, units
from lstm_lm.text.sources import corpus
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.text.tokenization.vocabulary import Vocabulary

MUCH_UNKNOWN = 0.15  # share of the training text
TOKENS = {"word": "words", "char": "characters", "subword": "subwords"}


def run(settings):
    settings = settings.vocab
    tokenizer = Tokenizer(settings.lowercase, settings.keep_punctuation, settings.punctuation, settings.newlines, settings.unit)
    numbering = indexing.numbering(tokenizer)
    with folders.replaced("data/vocab") as folder:
        whole = encoded.number(corpus.files("data/raw"), numbering, folder)
        if not len(whole.ids):
            raise UserError("nothing is left of the text after cleaning: see params.yaml: vocab.keep_punctuation and download.encoding")
        # In words, so that what is held out is the same text whatever a token is.
        spans = splits.split(whole.documents, settings.validation, settings.test, settings.split_by, settings.split_seed)
        words = numbering.words
        how = {"min_count": settings.min_count, "max_size": settings.max_size, "unknown_is_a_word": settings.punctuation == "as_is"}
        tokens, parts = whole, spans
        if settings.unit != "word":
            pieces = numbering.pieces()
            tokenizer = units.learn(tokenizer, pieces, whole.part(spans["train"]).counts(len(pieces)), settings.max_size)
            spelt, of_pieces = units.cut(tokenizer, pieces)
            tokens, parts = encoded.cut(whole, spans, folder, of_pieces)
            words = [token.encode() for token in spelt]
            if settings.unit == "subword":
                how |= {"min_count": 0, "max_size": None, "may_be_kept": units.may_be_known(tokenizer, spelt)}
        counts = {name: tokens.part(parts[name]).counts(len(words)) for name in splits.SPLITS}
        known, kept, order = Vocabulary.build(words, counts["train"], **how)
        if len(known) < 3:
            raise UserError(
                f"a vocabulary of {len(known) - 1} word(s) besides <unk> cannot be learnt: see params.yaml: vocab.min_count "
                f"({settings.min_count}) and vocab.max_size ({settings.max_size or 'null'}), or give it more text"
            )
        if tokenizer.plain_words and settings.unit == "word":
            lengths, touches = numbering.lengths(), None
        else:
            lengths, touches = units.written(tokenizer, [word.decode() for word in words])
        encoded.finish(tokens, folder, order, lengths, len(known), touches)
        known.save(folder / "vocab.csv", kept)
        splits.save(parts, folder / "splits.json")
        tokenizer.save(folder / "tokenizer.json")
    # A word that is spelt as the unknown token is not among the unknown ones of this report.
    is_unknown = np.array([word != vocabulary.UNKNOWN.encode() for word in words], bool)
    is_unknown[order[: len(known) - 1]] = False
    report(known, counts, is_unknown, spans, whole.documents, settings)


def report(known, counts, is_unknown, spans, lengths, settings):
    """Print the size, coverage and unknown rate of each split and write them to reports/. `spans` and `lengths` are in words."""
    what = TOKENS[settings.unit]
    figures = {"size": len(known), "words_seen": int(np.count_nonzero(counts["train"]))}
    print(f"data/vocab: {len(known) - 1:,} {what} known, of {figures['words_seen']:,} different ones in the training text")
    for name in splits.SPLITS:
        count = int(counts[name].sum())
        unknown = int(counts[name][is_unknown].sum())
        figures[name] = {
            "documents": len(spans[name]),
            "words": count,
            "coverage": round(1 - unknown / count, 6),
            "oov_rate": round(unknown / count, 6),
        }
        whole = all(span.stop - span.start == lengths[span.document] for span in spans[name])
        print(
            f"  {name:<10} {len(spans[name]):>4} {'document(s)' if whole else 'span(s)    '}  {count:>10,} {what}  "
            f"{1 - unknown / count:7.2%} known  {unknown / count:6.2%} unknown"
        )
    if all(spans["train"][0].document in {span.document for span in spans[name]} for name in splits.SPLITS):
        print("  the ends of the documents are held out: first the part for validation, then that for the test")
    else:
        for name in ("validation", "test"):
            documents = [span.document for span in spans[name]]
            print(f"  held out for {name}: {', '.join(documents[:5])}{' ...' if len(documents) > 5 else ''}")
    if figures["train"]["oov_rate"] > MUCH_UNKNOWN:
        print(f"  note: much of the training text is unknown; lower params.yaml: vocab.min_count ({settings.min_count}) to know more of it")
    reports = Path("reports")
    reports.mkdir(exist_ok=True)
    (reports / "vocabulary.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    vocabulary.save_coverage(reports / "coverage.csv", counts["train"][counts["train"] > 0])
