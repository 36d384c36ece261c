"""Stage `download`: text from `download.source` to data/raw."""

from lstm_lm import paths
from lstm_lm.config.schema import Params
from lstm_lm.text.sources import documents, fetching
from lstm_lm.text.sources.files import Skipped
from lstm_lm.ui import data_stages


def run(settings: Params) -> None:
    """Fetch the text, and write it as one file a document."""
    config = settings.download
    skipped: Skipped = {}
    fetched = fetching.fetch(config.source, config.encoding, config.clean, skipped)
    written = documents.write(fetched, config.source.model_dump(), paths.RAW)
    data_stages.show_raw_text(written.documents, written.bytes, skipped)
