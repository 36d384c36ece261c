"""Stage `download`: text from `download.source` -> data/raw."""

from lstm_lm import console, corpus, params


def main():
    download = params.load().download
    documents, size = corpus.write(corpus.fetch(download.source, download.encoding, download.clean), download.source, "data/raw")
    print(f"data/raw: {documents} document(s), {size / 1e6:.1f} MB")


if __name__ == "__main__":
    console.run(main)
