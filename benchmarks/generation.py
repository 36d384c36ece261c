"""The section generation: writing texts, one word after the other."""

import driver
import recipes
from driver import Peer
from lstm_lm.ui.markdown import table
from page import number, ratio

STEP = "ours, a Python loop over `step`, sampled with NumPy"
SAMPLED, GREEDY = "ours, `generate`, temperature 1", "ours, `generate`, greedy"


def case(name, prompts, words, temperature=1.0, top_k=0, top_p=1.0, by_step=False):
    """What a worker is to write: so many words after each of so many prompts."""
    return {
        "name": f"{name}: {prompts}",
        "prompts": prompts,
        "words": words,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "by_step": by_step,
    }


def generation(sitting, chosen=None, words=1000):
    """One prompt and 32, ours and the book's loop and a loop over `step`; and what top-k and top-p cost."""
    chosen = {**(chosen or recipes.settings_of("cookbook")), "precision": "float32"}
    words = sitting.steps(words, max(words // 4, 1))
    counts = {1: words, 32: max(words // 8, 1)}
    ours, of_book = {}, []
    for n, each in counts.items():
        plain = [case(SAMPLED, n, each), case(GREEDY, n, each, temperature=0.0)]
        limited = [case("ours, `generate`, top-k 40", n, each, top_k=40), case("ours, `generate`, top-p 0.9", n, each, top_p=0.9)]
        # One thread for one prompt, as `make sample` and the server; all cores for many, as `evaluate-sample` and TensorFlow by itself.
        cases = {"cases": [*plain, *limited, case(STEP, n, each, by_step=True)], "threads": 1 if n == 1 else 0}
        ours[n] = Peer(f"{recipes.OURS}, prompts: {n}", "ours_text.py", {**chosen, **cases}, environment=recipes.OWN)
        of_book += plain
    book = recipes.cookbook({**chosen, "cases": of_book}, "cookbook_text.py", "the cookbook's session.run a word")
    driver.alternate([*ours.values(), book], sitting.rounds, 1)

    rows = []
    for n, each in counts.items():
        lines = [(one["name"], ours[n], one["name"], SAMPLED) for one in ours[n].settings["cases"]]
        lines.insert(2, (f"{book.name}, sampled with NumPy: ", book, f"{SAMPLED}: {n}", SAMPLED))
        lines.insert(3, (f"{book.name}, greedy as in the book: ", book, f"{GREEDY}: {n}", GREEDY))
        for label, peer, name, against in lines:
            found, base = took(peer, name), took(ours[n], f"{against}: {n}")
            what = label.rpartition(":")[0]
            if not found:
                rows.append([what, n, f"none: {peer.problem}", None, None])
                continue
            itself = what in (SAMPLED, GREEDY)
            compared = None if itself else ratio(driver.ratios(base, found))
            rows.append([what, n, number(n * each / driver.median(found)), compared, None if itself else against.rpartition(", ")[2]])
    about = (
        f"{counts[1]} words after one prompt of 4 words, {counts[32]} after each of 32 prompts; words/s are of all prompts together. "
        "Ours writes after one prompt with one thread, as `make sample` and the server do, and after 32 with all cores."
    )
    return f"{table(['', 'prompts', 'words/s', 'times as long as ours', 'ours being'], rows)}\n\n{about}"


def took(peer, name):
    """Seconds of a case, turn by turn."""
    return [found["cases"][name] for found in peer.rounds if found]
