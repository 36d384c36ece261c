"""What all workers share: the exchange with the driver, and the words they are given. NumPy only, Python 3.7 or newer.

A worker is started with its settings as JSON on the command line. It builds its model and prints one line of JSON. Then, for every
number that it reads from stdin, it runs so many steps and prints one line of JSON with the seconds they took. At the end of stdin it
prints its peak memory.
"""

import json
import os
import resource
import sys
import time
from typing import Any, Callable, Dict, Iterator, List, Tuple

import numpy as np

START = time.perf_counter()
# Answers go to the original stdout. Whatever a library prints goes to stderr, so that it can't mix with them.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

PROMPT_WORDS = 4
WARM_UP_WORDS = 5
ZIPF_OFFSET = 2.7

Settings = Dict[str, Any]
Case = Dict[str, Any]
Prompts = List[List[int]]


def settings() -> Settings:
    """Return the settings on the command line."""
    return json.loads(sys.argv[1])


def send(**facts: Any) -> None:
    """Send a line of JSON to the driver."""
    ANSWERS.write(json.dumps(facts) + "\n")
    ANSWERS.flush()


def send_ready(**facts: Any) -> None:
    """Report that everything is built and warm."""
    send(ready=time.perf_counter() - START, **facts)


def send_peak_memory() -> None:
    """Report the peak memory: the last answer."""
    send(peak_mib=peak_mib())


def serve(run: Callable[[int], Dict[str, Any]], **facts: Any) -> None:
    """Answer the driver until it closes stdin.

    Args:
        run: runs a number of steps and returns its results, such as their mean loss.
        facts: sent with the first answer.
    """
    send_ready(**facts)
    for line in sys.stdin:
        start = time.perf_counter()
        results = run(int(line))
        send(seconds=time.perf_counter() - start, steps=int(line), **results)
    send_peak_memory()


def peak_mib() -> float:
    """Return the peak memory of this process, MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def zipf(vocabulary: int) -> np.ndarray:
    """Return the probabilities of the ids, float64 [vocabulary]: close to those of words by decreasing count (Zipf, Mandelbrot)."""
    weights = 1 / (np.arange(vocabulary) + ZIPF_OFFSET)
    return weights / weights.sum()


def random_weights(config: Settings, seed: int = 1) -> Dict[str, np.ndarray]:
    """Return the weights of a language model with one LSTM layer, float32, for the workers that are nothing but a loop."""
    random = np.random.RandomState(seed)
    vocabulary, embedding, hidden = config["vocabulary"], config["embedding_size"], config["hidden_size"]
    width = config["projection_size"] or hidden

    def table(*shape: int) -> np.ndarray:
        scale = config["initializer_scale"]
        return random.uniform(-scale, scale, shape).astype(np.float32)

    weights = {"embedding": table(vocabulary, embedding), "kernel": table(embedding, 4 * hidden), "recurrent": table(hidden, 4 * hidden)}
    weights["bias"] = np.zeros(4 * hidden, np.float32)
    weights["bias"][hidden : 2 * hidden] = 1
    if config["projection_size"]:
        weights["projection"] = table(hidden, width)
    weights["softmax"] = weights["embedding"] if config["tie_weights"] else table(vocabulary, width)
    # Without any training, the bias makes words as probable as in a text.
    weights["softmax_bias"] = np.log(zipf(vocabulary)).astype(np.float32)
    return weights


def streams(vocabulary: int, batch_size: int, words: int, seed: int = 1) -> np.ndarray:
    """Return the same ids for every worker, int32 [batch_size, words]. Words repeat as often as in a text."""
    # RandomState draws the same numbers in every version of NumPy.
    uniforms = np.random.RandomState(seed).random_sample([batch_size, words])
    ids = np.searchsorted(np.cumsum(zipf(vocabulary)), uniforms)
    return np.minimum(ids, vocabulary - 1).astype(np.int32)


def windows(vocabulary: int, batch_size: int, sequence_length: int, steps: int) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Yield (inputs, targets), int32 [batch_size, sequence_length] each. Every window starts where the previous one ended."""
    rows = streams(vocabulary, batch_size, steps * sequence_length + 1)
    for start in range(0, steps * sequence_length, sequence_length):
        stop = start + sequence_length
        yield rows[:, start:stop], rows[:, start + 1 : stop + 1]


def train(step: Callable[[np.ndarray, np.ndarray], float], config: Settings, **facts: Any) -> None:
    """Serve a training. The first `warm_up` windows are trained on before the worker is ready.

    Args:
        step: takes inputs and targets of a window, updates the model and returns the loss.
        config: the settings.
        facts: sent with the first answer.
    """
    remaining = windows(config["vocabulary"], config["batch_size"], config["sequence_length"], config["steps"])

    def run(steps: int) -> Dict[str, Any]:
        return {"loss": sum(float(step(*next(remaining))) for _ in range(steps)) / steps}

    serve(run, first_loss=run(config["warm_up"])["loss"], **facts)


def generate(generate_texts: Callable[[Case, Prompts, int], Any], config: Settings, **facts: Any) -> None:
    """Serve generation. Each round runs every case of the settings and reports the seconds of each.

    Args:
        generate_texts: takes a case, prompts as lists of ids, and the number of words to generate after each prompt.
        config: the settings.
        facts: sent with the first answer.
    """

    def measure(case: Case, words: int) -> float:
        prompts = [prompt(config["vocabulary"], row) for row in range(case["prompts"])]
        generate_texts(case, prompts, WARM_UP_WORDS)  # another worker has used the processor's caches since
        start = time.perf_counter()
        generate_texts(case, prompts, words)
        return time.perf_counter() - start

    def label(case: Case) -> str:
        return "{}: {}".format(case["name"], case["prompts"])

    for case in config["cases"]:
        measure(case, 1)
    serve(lambda rounds: {"cases": {label(case): measure(case, case["words"] * rounds) for case in config["cases"]}}, **facts)


def prompt(vocabulary: int, row: int) -> List[int]:
    """Return the ids of a prompt, different ones for each row."""
    return np.random.RandomState(row).randint(1, vocabulary, PROMPT_WORDS).tolist()


def draw(probabilities: np.ndarray, random: np.random.RandomState) -> int:
    """Draw an id by its probability, but never 0, which is `<unk>`.

    Args:
        probabilities: float32 [vocabulary].
        random: source of the random number.
    """
    cumulative = np.cumsum(probabilities[1:])
    return 1 + min(int(np.searchsorted(cumulative, random.random_sample() * cumulative[-1])), len(cumulative) - 1)
