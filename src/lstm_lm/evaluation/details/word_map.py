"""A map of the most frequent words: t-SNE of their vectors (van der Maaten & Hinton 2008), which keeps near what is near.

It is the same on each run: the seed is fixed, and it is computed in one thread, because sums of several threads depend on their order.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

WORDS = 300
PERPLEXITY = 30  # about how many neighbors count
MIN_WORDS = 10  # with fewer, the first two principal components are the map
SEED = 1


def word_map(embedding: np.ndarray, words: Sequence[str], counts: np.ndarray, number: int = WORDS) -> list[dict[str, Any]]:
    """Place words on a plane.

    Args:
        embedding: float [vocabulary, width].
        words: the vocabulary, in the order of the ids: `<unk>`, which gets no place, then by falling count.
        counts: int [vocabulary], occurrences in the training text.
        number: how many words, the most frequent ones.
    Returns:
        [{"word": ..., "x": ..., "y": ..., "count": ...}], the most frequent first. The unit of x and y has no meaning.
    """
    vectors = embedding[1 : number + 1].astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    places = place(vectors / np.maximum(norms, np.finfo(np.float32).tiny))
    return [{"word": words[i], "x": float(x), "y": float(y), "count": int(counts[i])} for i, (x, y) in enumerate(places.tolist(), start=1)]


def place(vectors: np.ndarray) -> np.ndarray:
    """Place vectors, float [n, width], on a plane: float64 [n, 2]."""
    if len(vectors) < MIN_WORDS:
        return principal_components(vectors)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    start = principal_components(vectors)
    # As scikit-learn itself scales the start; a column without any spread, of vectors of one number, stays 0.
    scale = np.std(start[:, 0])
    with threadpool_limits(limits=1):
        tsne = TSNE(
            perplexity=min(PERPLEXITY, (len(vectors) - 1) / 3),
            init=(start / (scale or 1) * 1e-4).astype(np.float32),
            random_state=SEED,
            method="exact",
            n_jobs=1,
        )
        return np.asarray(tsne.fit_transform(vectors), np.float64)


def principal_components(vectors: np.ndarray) -> np.ndarray:
    """Return the first two principal components of vectors, float64 [n, 2], zero where there are fewer; the signs are fixed."""
    centered = vectors - vectors.mean(axis=0, keepdims=True) if len(vectors) else vectors
    left, scales, _ = np.linalg.svd(centered, full_matrices=False)
    components = (left * scales)[:, :2]
    largest = components[np.argmax(abs(components), axis=0), np.arange(components.shape[1])] if len(components) else np.ones(0)
    components = components * np.where(largest < 0, -1, 1) if len(components) else components
    return np.pad(components, [(0, 0), (0, 2 - components.shape[1])])
