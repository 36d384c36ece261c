"""Stage `vocab`: data/raw -> data/vocab: what a word is, which words are known, which text is held out, and the text as ids."""

import json
from pathlib import Path

import numpy as np

from lstm_lm import console, corpus, folders, params, splits, text, tokenizing, vocabulary

MUCH_UNKNOWN = 0.15  # share of the training text


def main():
    settings = params.load().vocab
    tokenizer = vocabulary.Tokenizer(settings.lowercase, settings.keep_punctuation)
    numbering = tokenizing.Numbering(tokenizer)
    with folders.replaced("data/vocab") as folder:
        whole = text.number(corpus.files("data/raw"), numbering, folder)
        if not len(whole.ids):
            raise console.UserError(
                "nothing is left of the text after cleaning: see params.yaml: vocab.keep_punctuation and download.encoding"
            )
        parts = splits.split(whole.documents, settings.validation, settings.test, settings.split_by, settings.split_seed)
        counts = {name: whole.part(parts[name]).counts(len(numbering.words)) for name in splits.SPLITS}
        known, kept, order = vocabulary.Vocabulary.build(numbering.words, counts["train"], settings.min_count, settings.max_size)
        if len(known) < 3:
            raise console.UserError(
                f"a vocabulary of {len(known) - 1} word(s) besides <unk> cannot be learnt: see params.yaml: vocab.min_count "
                f"({settings.min_count}) and vocab.max_size ({settings.max_size or 'null'}), or give it more text"
            )
        text.finish(whole, folder, order, numbering.lengths(), len(known))
        known.save(folder / "vocab.csv", kept)
        splits.save(parts, folder / "splits.json")
        tokenizer.save(folder / "tokenizer.json")
    # A word that is spelt as the unknown token is not among the unknown ones of this report.
    is_unknown = np.ones(len(order), bool)
    is_unknown[[*order[: len(known) - 1], *numbering.of_words([vocabulary.UNKNOWN])]] = False
    report(known, counts, is_unknown, parts, whole.documents, settings.min_count)


def report(known, counts, is_unknown, parts, lengths, min_count):
    """Print the size, coverage and unknown rate of each split and write them to reports/."""
    figures = {"size": len(known), "words_seen": int(np.count_nonzero(counts["train"]))}
    print(f"data/vocab: {len(known) - 1:,} words known, of {figures['words_seen']:,} different ones in the training text")
    for name in splits.SPLITS:
        words = int(counts[name].sum())
        unknown = int(counts[name][is_unknown].sum())
        figures[name] = {
            "documents": len(parts[name]),
            "words": words,
            "coverage": round(1 - unknown / words, 6),
            "oov_rate": round(unknown / words, 6),
        }
        what = "document(s)" if all(span.stop - span.start == lengths[span.document] for span in parts[name]) else "span(s)    "
        print(
            f"  {name:<10} {len(parts[name]):>4} {what}  {words:>10,} words  "
            f"{1 - unknown / words:7.2%} known  {unknown / words:6.2%} unknown"
        )
    if all(parts["train"][0].document in {span.document for span in parts[name]} for name in splits.SPLITS):
        print("  the ends of the documents are held out: first the part for validation, then that for the test")
    else:
        for name in ("validation", "test"):
            documents = [span.document for span in parts[name]]
            print(f"  held out for {name}: {', '.join(documents[:5])}{' ...' if len(documents) > 5 else ''}")
    if figures["train"]["oov_rate"] > MUCH_UNKNOWN:
        print(f"  note: much of the training text is unknown; lower params.yaml: vocab.min_count ({min_count}) to know more of it")
    reports = Path("reports")
    reports.mkdir(exist_ok=True)
    (reports / "vocabulary.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    vocabulary.save_coverage(reports / "coverage.csv", counts["train"][counts["train"] > 0])


if __name__ == "__main__":
    console.run(main)
