"""Stage `download`: text from `download.source` -> data/raw."""

from lstm_lm import console, corpus, params


def main():
    download = params.load().download
    documents = corpus.fetch(download.source, download.encoding)
    corpus.write(documents, download.source, "data/raw")
    size = sum(len(document.text.encode("utf-8")) for document in documents)
    print(f"data/raw: {len(documents)} document(s), {size / 1e6:.1f} MB")


if __name__ == "__main__":
    console.run(main)
