"""Stage `vocab`: data/raw -> data/vocab: what a word is, which words are known, and which text is held out."""

import json
from pathlib import Path

from lstm_lm import console, corpus, params, splits, vocabulary

MUCH_UNKNOWN = 0.15  # share of the training text


def main():
    settings = params.load().vocab
    tokenize = vocabulary.Tokenizer(settings.lowercase, settings.keep_punctuation)
    words = {document.name: tokenize(document.text) for document in corpus.read("data/raw")}
    if not any(words.values()):
        raise console.UserError("nothing is left of the text after cleaning: see params.yaml: vocab.keep_punctuation and download.encoding")
    lengths = {name: len(text) for name, text in words.items()}
    parts = splits.split(lengths, settings.validation, settings.test, settings.split_by, settings.split_seed)

    counts = {name: vocabulary.count_words(words[span.document][span.start : span.stop] for span in parts[name]) for name in splits.SPLITS}
    known, kept = vocabulary.Vocabulary.build(counts["train"], settings.min_count, settings.max_size)
    if len(known) < 3:
        raise console.UserError(
            f"a vocabulary of {len(known) - 1} word(s) besides <unk> cannot be learnt: see params.yaml: vocab.min_count "
            f"({settings.min_count}) and vocab.max_size ({settings.max_size or 'null'}), or give it more text"
        )

    folder = Path("data/vocab")
    folder.mkdir(parents=True, exist_ok=True)
    known.save(folder / "vocab.csv", kept)
    splits.save(parts, folder / "splits.json")
    tokenize.save(folder / "tokenizer.json")
    report(known, counts, parts, lengths, settings.min_count)


def report(known, counts, parts, lengths, min_count):
    """Print the size, coverage and unknown rate of each split and write them to reports/."""
    figures = {"size": len(known), "words_seen": len(counts["train"])}
    print(f"data/vocab: {len(known) - 1:,} words known, of {len(counts['train']):,} different ones in the training text")
    for name in splits.SPLITS:
        words = int(counts[name].sum())
        unknown = int(counts[name].drop(known.words, errors="ignore").sum())
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
    vocabulary.coverage(counts["train"]).to_csv(reports / "coverage.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    console.run(main)
