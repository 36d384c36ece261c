"""What all workers share: how they talk to the driver, and the words they are given. NumPy only, Python 3.7 or newer.

A worker is started with its settings as JSON on the command line. It gets ready, prints one JSON line, and then, for every line
that comes in on stdin, does so many steps and prints one JSON line with the seconds they took. At the end of stdin it prints its
peak memory.
"""

import json
import os
import resource
import sys
import time

import numpy as np

BEGAN = time.perf_counter()
# The JSON lines go where stdout went; whatever a library prints goes to stderr and so cannot get between them.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def settings():
    """The command line's JSON, a dict."""
    return json.loads(sys.argv[1])


def tell(**facts):
    ANSWERS.write(json.dumps(facts) + "\n")
    ANSWERS.flush()


def ready(**facts):
    """Say that everything is built and warm."""
    tell(ready=time.perf_counter() - BEGAN, **facts)


def serve(run, **facts):
    """Answer the driver to its end.

    Args:
        run: does a number of steps and returns a dict of what it found, such as their mean loss.
        facts: to be told with `ready`.
    """
    ready(**facts)
    for line in sys.stdin:
        began = time.perf_counter()
        found = run(int(line))
        tell(seconds=time.perf_counter() - began, steps=int(line), **(found or {}))
    tell(peak_mib=peak_mib())


def peak_mib():
    """Most memory this process ever held, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def zipf(vocabulary):
    """Probabilities of the ids, float64 [vocabulary]: nearly those of words in a text by falling count (Zipf, Mandelbrot)."""
    weights = 1 / (np.arange(vocabulary) + 2.7)
    return weights / weights.sum()


def streams(vocabulary, batch_size, words, seed=1):
    """The same ids for every worker: int32 [batch_size, words], words repeated as often as in a text."""
    # RandomState draws the same numbers in every version of NumPy.
    draws = np.random.RandomState(seed).random_sample([batch_size, words])
    ids = np.searchsorted(np.cumsum(zipf(vocabulary)), draws)
    return np.minimum(ids, vocabulary - 1).astype(np.int32)


def windows(vocabulary, batch_size, sequence_length, steps):
    """(inputs, targets), int32 [batch_size, sequence_length] each: window k + 1 starts where window k ended."""
    rows = streams(vocabulary, batch_size, steps * sequence_length + 1)
    for start in range(0, steps * sequence_length, sequence_length):
        stop = start + sequence_length
        yield rows[:, start:stop], rows[:, start + 1 : stop + 1]


def train(step, chosen, **facts):
    """Serve a training: the first `warm_up` windows are done before `ready`.

    Args:
        step: (inputs, targets) -> loss of that window, a float; updates the model.
        chosen: the settings.
    """
    left = windows(chosen["vocabulary"], chosen["batch_size"], chosen["sequence_length"], chosen["steps"])

    def run(steps):
        return {"loss": sum(float(step(*next(left))) for _ in range(steps)) / steps}

    serve(run, first_loss=run(chosen["warm_up"])["loss"], **facts)


def texts(write, chosen, **facts):
    """Serve the writing of texts: each turn does every case of the settings and tells the seconds of each.

    Args:
        write: (case, prompts, words) -> texts as lists of ids, or anything; prompts are lists of ids.
    """

    def once(case, words):
        prompts = [prompt(chosen["vocabulary"], row) for row in range(case["prompts"])]
        write(case, prompts, 5)  # others have had the processor's caches meanwhile
        began = time.perf_counter()
        write(case, prompts, words)
        return time.perf_counter() - began

    for case in chosen["cases"]:
        once(case, 1)
    serve(lambda turns: {"cases": {case["name"]: once(case, case["words"] * turns) for case in chosen["cases"]}}, **facts)


def prompt(vocabulary, row):
    """Four ids, others for each row."""
    return np.random.RandomState(row).randint(1, vocabulary, 4).tolist()


def draw(probabilities, random):
    """An id by its probability, never 0, which is `<unk>`.

    Args:
        probabilities: [vocabulary]. random: np.random.RandomState.
    """
    cumulative = np.cumsum(probabilities[1:])
    return 1 + min(int(np.searchsorted(cumulative, random.random_sample() * cumulative[-1])), len(cumulative) - 1)
