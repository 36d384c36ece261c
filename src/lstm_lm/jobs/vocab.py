"""Stage `vocab`: data/raw to data/vocab: what a token is, which tokens are known, which text is held out, and the text as ids."""

import json

from lstm_lm import paths
from lstm_lm.config.schema import Params
from lstm_lm.io import folders
from lstm_lm.text import coverage
from lstm_lm.text.preparation import prepare
from lstm_lm.text.sources import documents
from lstm_lm.ui import data_stages


def run(settings: Params) -> None:
    """Prepare the text, and report how much of it is known."""
    with folders.replaced(paths.VOCAB) as folder:
        prepared = prepare(documents.list_files(paths.RAW), settings.vocab, folder)
    metrics = prepared.metrics()
    paths.VOCABULARY_METRICS.parent.mkdir(exist_ok=True)
    paths.VOCABULARY_METRICS.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    counts = prepared.counts["train"]
    coverage.save_coverage(paths.COVERAGE, counts[counts > 0])
    data_stages.show_vocabulary(metrics, prepared.spans, prepared.documents, settings.vocab)
