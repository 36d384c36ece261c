"""Stage `download`: text from `download.source` -> data/raw."""

from lstm_lm.text.sources import corpus


def run(settings):
    download = settings.download
    documents, size = corpus.write(corpus.fetch(download.source, download.encoding, download.clean), download.source, "data/raw")
    print(f"data/raw: {documents} document(s), {size / 1e6:.1f} MB")
