"""Preparation as a plain script: lower, re, split, Counter, then ids from a dict. Usage: counter_script.py FOLDER OUTPUT MIN_COUNT"""

import re
import sys
from collections import Counter
from pathlib import Path
from typing import List

import numpy as np

folder, output, min_count = sys.argv[1], sys.argv[2], int(sys.argv[3])
paths = sorted(Path(folder).rglob("*.txt"))
separators = re.compile(r"[^\w'-]+")


def words(path: Path) -> List[str]:
    """Return the words of a file."""
    return separators.sub(" ", path.read_text(encoding="utf-8").lower()).split()


counts: Counter[str] = Counter()
for path in paths:
    counts.update(words(path))
known = [word for word, count in counts.most_common() if count >= min_count]
index = {word: i for i, word in enumerate(known, 1)}
ids = [np.array([index.get(word, 0) for word in words(path)], np.int32) for path in paths]
np.save(output, np.concatenate(ids))
