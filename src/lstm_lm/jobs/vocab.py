"""Stage `vocab`: data/raw to data/vocab: what a token is, which tokens are known, which text is held out, and the text as ids."""

import json

from lstm_lm import paths
from lstm_lm.config import standard_corpora
from lstm_lm.config.schema import Params
from lstm_lm.io import folders
from lstm_lm.text import coverage, duplicates
from lstm_lm.text.preparation import prepare
from lstm_lm.text.sources import documents
from lstm_lm.text.splits import SPLITS
from lstm_lm.ui import data_stages, terminal


def run(settings: Params) -> None:
    """Prepare the text, and report how much of it is known.

    Raises:
        UserError: there are too few words, or the text is not the standard corpus that its place is for.
    """
    copies = duplicates.find_copies(documents.load_digests(paths.RAW), settings.vocab.validation, settings.vocab.test)
    files = [(name, path) for name, path in documents.list_files(paths.RAW) if name not in copies]
    with folders.replaced(paths.VOCAB) as folder:
        prepared = prepare(files, settings.vocab, folder, cleaned=settings.download.clean)
    metrics = prepared.metrics()
    paths.VOCABULARY_METRICS.parent.mkdir(exist_ok=True)
    paths.VOCABULARY_METRICS.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    counts = prepared.counts["train"]
    coverage.save_coverage(paths.COVERAGE, counts[counts > 0])
    data_stages.show_vocabulary(metrics, prepared.spans, prepared.documents, settings.vocab)
    data_stages.show_duplicates(copies, prepared.near_duplicates)
    if line := standard_corpora.check_counts(settings, {name: metrics[name]["words"] for name in SPLITS}, metrics["size"]):
        terminal.print(line)
