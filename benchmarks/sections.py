"""What is compared: one function a section, which measures and returns Markdown."""

import sys
from pathlib import Path

import driver
import environments
from driver import Peer
from page import gib, number, ratio, table

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "src"))

from lstm_lm import params

VOCABULARY = 8_084  # what the book's recipe knows of Shakespeare
LARGE_VOCABULARY = 100_000
OURS = "ours"


def settings_of(preset=None):
    """params.yaml, or a preset over it, as the workers' settings."""
    values = params.read(PROJECT / "params.yaml")
    if preset:
        values = params.changed(values, params.preset(preset, PROJECT / "presets"))
    chosen = params.check(values)
    model, train = chosen.model, chosen.train
    return {
        "vocabulary": VOCABULARY,
        "batch_size": chosen.batching.batch_size,
        "sequence_length": chosen.batching.sequence_length,
        "embedding_size": model.embedding_size,
        "hidden_size": model.hidden_size,
        "projection_size": model.projection_size,
        "tie_weights": model.tie_weights,
        "dropout": model.dropout,
        "initializer_scale": 0.05,  # uniform, for all, so that they start alike
        "learning_rate": 0.001,  # constant, for all
        "weight_decay": train.weight_decay,
        "clip_norm": train.clip_norm,
        "state_reset": train.state_reset,
        "precision": "auto",
    }


def operations(shape):
    """Floating point operations of a training word: those of the matrix products, forward once and backward twice."""
    hidden = shape["hidden_size"]
    lstm = 4 * hidden * (shape["embedding_size"] + hidden)
    projection = hidden * (shape["projection_size"] or 0)
    softmax = (shape["projection_size"] or hidden) * shape["vocabulary"]
    return 3 * 2 * (lstm + projection + softmax)


# --- peers ---


def ours(chosen, name=OURS, **more):
    return Peer(name, "ours.py", {**chosen, **more})


def keras(chosen, jit):
    return Peer(f"Keras 3, {'jit_compile=True' if jit else 'plain'}", "stock_keras.py", {**chosen, "jit": jit})


def pytorch(chosen, bfloat16=False):
    name = f"PyTorch, {'bfloat16 autocast' if bfloat16 else 'float32'}"
    return Peer(name, "pytorch.py", {**chosen, "bfloat16": bfloat16}, environments.torch)


def cookbook(chosen, script="cookbook.py", name="the cookbook's graph"):
    """On TensorFlow 1.15 where that can be had, else on tf.compat.v1."""
    try:
        return Peer(f"{name}, TensorFlow 1.15", script, chosen, environments.tf1())
    except environments.Missing as missing:
        driver.say(f"TensorFlow 1.15: {missing}")
        return Peer(f"{name}, on tf.compat.v1 with a hand-written cell (TensorFlow 1.15 cannot be had here)", script, chosen)


def roof(sitting, chosen, dtypes):
    """Of the machine, at the shapes of 512 words of this model's softmax."""
    width = chosen["projection_size"] or chosen["hidden_size"]
    shapes = {"words": 512, "width": width, "vocabulary": chosen["vocabulary"], "square": sitting.steps(2048, 1024), "dtypes": dtypes}
    return Peer("the roof", "roof.py", shapes)


def best_rate(peer, dtype):
    """The fastest product of all rounds, GFLOP/s."""
    return max((rates[dtype] for found in peer.rounds if "rates" in found for rates in found["rates"].values()), default=None)


# --- training ---


def run_in(sitting, shape, steps):
    """Settings of one comparison: warm-up as long as a turn, and one step to spare so that no epoch ends."""
    return {**shape, "warm_up": steps, "status_every": steps, "steps": (sitting.rounds + 1) * steps + 1}


def seconds(peer):
    """Of a step, turn by turn."""
    return [found["seconds"] / found["steps"] for found in peer.rounds if found]


def compare(sitting, chosen, peers, steps, with_roof=True):
    """The table of a training comparison; peers[0] is ours, and float32 of ours is added where `auto` chose another precision."""
    peers[0].start()
    precision = peers[0].ready.get("precision", "float32")
    peers[0].stop()
    peers[0].name = f"{OURS}, auto: {precision}"
    if precision != "float32":
        peers.insert(1, ours(chosen, f"{OURS}, float32", precision="float32"))
    top = [roof(sitting, chosen, sorted({"float32", precision}))] if with_roof else []
    driver.alternate([*peers, *top], sitting.rounds, lambda peer: 1 if peer in top else steps)
    text = training_table(chosen, peers, {precision: best_rate(top[0], precision)} if top else {}, precision)
    if top and best_rate(top[0], precision):
        text += (
            f"\n\nThe roof of this sitting, the fastest matrix product found: {number(best_rate(top[0], 'float32'))} GFLOP/s in float32"
            + (f", {number(best_rate(top[0], precision))} in {precision}" if precision != "float32" else "")
            + f"; a word takes {operations(chosen) / 1e6:.2f} MFLOP."
        )
    return text


def training_table(chosen, peers, tops, precision):
    words = chosen["batch_size"] * chosen["sequence_length"]
    mine = seconds(peers[0])
    rows = []
    for peer in peers:
        if not seconds(peer):
            rows.append([peer.name, f"none: {peer.problem}"])
            continue
        rate = words / driver.median(seconds(peer))
        share = None
        if precision in tops and tops[precision] and peer.ready.get("precision", "float32") == precision and "bfloat16" not in peer.name:
            share = f"{operations(chosen) * rate / 1e9 / tops[precision]:.0%}"
        outside = driver.median(found["outside"] for found in peer.rounds if "outside" in found)
        rows.append(
            [
                peer.name,
                number(rate),
                "" if peer is peers[0] else ratio(driver.ratios(mine, seconds(peer))),
                share,
                f"{peer.ready['first_loss']:.3f}",
                f"{peer.rounds[-1]['loss']:.3f}",
                gib(peer.peak_mib),
                f"{peer.ready['ready']:.0f} s",
                None if outside is None else f"{max(outside, 0):.1%}",
            ]
        )
    heads = ["", "words/s", "ours is so many times as fast", "of the roof", "loss, warm-up", "loss, last turn", "peak memory", "start"]
    heads.append("outside the step")
    return table(heads, [row + [None] * (len(heads) - len(row)) for row in rows])


def training(sitting, shape=None):
    """The book's sizes against everybody."""
    steps = sitting.steps(12, 3)
    chosen = run_in(sitting, shape or settings_of("cookbook"), steps)
    peers = [ours(chosen), cookbook(chosen), keras(chosen, False), keras(chosen, True), pytorch(chosen), pytorch(chosen, bfloat16=True)]
    return compare(sitting, chosen, peers, steps)


def default(sitting, shape=None):
    """The default preset's sizes against the best peers."""
    steps = sitting.steps(25, 5)
    chosen = run_in(sitting, shape or settings_of(), steps)
    return compare(sitting, chosen, [ours(chosen), keras(chosen, False), keras(chosen, True), pytorch(chosen)], steps)


# --- generation ---


def generation(sitting, shape=None, words=200):
    """One prompt and 32, against the book's loop and a loop over `step`; and what top-k and top-p cost."""
    chosen = shape or settings_of("cookbook")
    words = sitting.steps(words, max(words // 4, 1))
    few = max(words // 4, 1)

    def case(name, prompts, **more):
        plain = {"temperature": 1.0, "top_k": 0, "top_p": 1.0}
        return {"name": name, "prompts": prompts, "words": words if prompts == 1 else few, **plain, **more}

    plain = [case("1", 1), case("32", 32)]
    limited = [case("1, top-k 40", 1, top_k=40), case("1, top-p 0.9", 1, top_p=0.9)]
    limited += [case("32, top-k 40", 32, top_k=40), case("32, top-p 0.9", 32, top_p=0.9)]
    by_step = [case("1, by step", 1, by_step=True), case("32, by step", 32, by_step=True)]
    greedy = [case("1, greedy", 1, temperature=0.0), case("32, greedy", 32, temperature=0.0)]
    mine = Peer(OURS, "ours_text.py", {**chosen, "precision": "float32", "cases": [*plain, *greedy, *limited, *by_step]})
    book = cookbook({**chosen, "cases": [*plain, *greedy]}, "cookbook_text.py", "the cookbook's session.run a word")
    driver.alternate([mine, book], sitting.rounds, 1)

    def took(peer, name):
        return [found["cases"][name] for found in peer.rounds if found]

    def row(what, peer, name, against, against_name, against_what):
        prompts = int(name.split(",")[0])
        total = prompts * (words if prompts == 1 else few)
        found = took(peer, name)
        if not found:
            return [what, name.split(",")[0], f"none: {peer.problem}", "", ""]
        compared = ratio(driver.ratios(took(against, against_name), found)) if against_what else None
        return [what, prompts, number(total / driver.median(found)), compared, against_what]

    rows = []
    for n in ("1", "32"):
        sampled, best = f"{n}", f"{n}, greedy"
        rows += [
            row("ours, `generate`, temperature 1", mine, sampled, mine, sampled, None),
            row("ours, `generate`, greedy", mine, best, mine, best, None),
            row(f"{book.name}, sampled with NumPy", book, sampled, mine, sampled, "ours, temperature 1"),
            row(f"{book.name}, greedy as in the book", book, best, mine, best, "ours, greedy"),
            row("ours, a Python loop over `step`, sampled with NumPy", mine, f"{n}, by step", mine, sampled, "ours, temperature 1"),
            row("ours, `generate`, top-k 40", mine, f"{n}, top-k 40", mine, sampled, "ours, temperature 1"),
            row("ours, `generate`, top-p 0.9", mine, f"{n}, top-p 0.9", mine, sampled, "ours, temperature 1"),
        ]
    about = f"{words} words after one prompt of 4, {few} after each of 32."
    return table(["", "prompts", "words/s", "times as long", "as"], rows) + "\n\n" + about


SECTIONS = {
    "training": training,
    "default": default,
    "generation": generation,
}
