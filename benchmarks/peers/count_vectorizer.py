"""Preparation with scikit-learn's CountVectorizer, then ids from its vocabulary. Usage: count_vectorizer.py FOLDER OUTPUT MIN_COUNT"""

import sys
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

folder, output, min_count = sys.argv[1], sys.argv[2], int(sys.argv[3])
paths = [str(path) for path in sorted(Path(folder).rglob("*.txt"))]
vectorizer = CountVectorizer(input="filename", token_pattern=r"[\w'-]+")
counts = np.asarray(vectorizer.fit_transform(paths).sum(axis=0))[0]
words = vectorizer.get_feature_names_out()
index = {words[column]: i for i, column in enumerate(np.argsort(-counts), 1) if counts[column] >= min_count}
analyze = vectorizer.build_analyzer()
ids = [np.array([index.get(word, 0) for word in analyze(path)], np.int32) for path in paths]
np.save(output, np.concatenate(ids))
