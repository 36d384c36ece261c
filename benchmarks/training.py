"""The sections about training: roof, training, default, large-vocabulary, growth."""

import driver
import recipes
from lstm_lm.ui.markdown import table
from page import gib, number, ratio

LARGE_VOCABULARY = 100_000
GROWTH = {
    "vocabulary": [1_000, 3_000, 10_000, 30_000, 100_000],
    "hidden_size": [128, 256, 512, 1_024],
    "batch_size": [1, 10, 32, 100, 200],
}
HEADS = [
    "",
    "words/s",
    "times as long as ours",
    "of the roof",
    "loss, warm-up",
    "loss, last turn",
    "peak memory",
    "start",
    "outside TensorFlow",
]


def roof(sitting):
    """How fast a matrix product is here, in both precisions."""
    peer = recipes.roof(recipes.settings_of("cookbook"), sitting.steps(2048, 1024), ["float32", "bfloat16"])
    driver.alternate([peer], sitting.rounds, 1)
    if peer.problem:
        return f"none: {peer.problem}"
    rows = []
    for name in peer.rounds[0]["rates"]:
        single, half = ([found["rates"][name][dtype] for found in peer.rounds] for dtype in ("float32", "bfloat16"))
        rows.append([name, *(number(f(rates)) for rates in (single, half) for f in (driver.median, max))])
    return table(["GFLOP/s of `tf.matmul`", "float32", "float32, best", "bfloat16", "bfloat16, best"], rows)


def best_rate(peer, dtype):
    """The fastest product of all rounds, GFLOP/s."""
    return max((rates[dtype] for found in peer.rounds if "rates" in found for rates in found["rates"].values()), default=None)


def paced(chosen, rounds, steps):
    """Settings for so many turns of so many steps: a warm-up as long as a turn, and a step to spare, so that no epoch ends."""
    return {**chosen, "warm_up": steps, "status_every": steps, "steps": (rounds + 1) * steps + 1}


def seconds(peer):
    """Of a step, turn by turn."""
    return [found["seconds"] / found["steps"] for found in peer.rounds if found]


def words_per_second(peer):
    """Median of the turns, or None without any."""
    words = peer.settings["batch_size"] * peer.settings["sequence_length"]
    return words / driver.median(seconds(peer)) if seconds(peer) else None


def row(peer, first, tops):
    """One line of a comparison.

    Args:
        first: the peer that is compared with. tops: {precision: GFLOP/s of the roof}.
    """
    rate = words_per_second(peer)
    if rate is None:
        return [peer.name, f"none: {peer.problem}"] + [None] * (len(HEADS) - 2)
    top = tops.get(peer.settings.get("precision") or ("bfloat16" if peer.settings.get("bfloat16") else "float32"))
    outside = driver.median(found["outside"] for found in peer.rounds if "outside" in found)
    return [
        peer.name,
        number(rate),
        None if peer is first else ratio(driver.ratios(seconds(first), seconds(peer))),
        f"{recipes.operations(peer.settings) * rate / 1e9 / top:.0%}" if top else None,
        f"{peer.ready['first_loss']:.3f}",
        f"{peer.rounds[-1]['loss']:.3f}",
        gib(peer.peak_mib),
        f"{peer.ready['ready']:.0f} s",
        None if outside is None else f"{max(outside, 0):.1%}",
    ]


def compared(sitting, chosen, peers, steps):
    """The table of peers that took turns with the roof; peers[0] is ours."""
    precisions = list(dict.fromkeys(peer.settings["precision"] for peer in peers if "precision" in peer.settings))
    top = recipes.roof(chosen, sitting.steps(2048, 512), precisions)
    driver.alternate([*peers, top], sitting.rounds, lambda peer: 1 if peer is top else steps)
    tops = {precision: best_rate(top, precision) for precision in precisions}
    roofs = " and ".join(f"{number(rate)} GFLOP/s in {precision}" for precision, rate in tops.items() if rate)
    versions = dict.fromkeys(peer.ready["version"] for peer in peers if peer.ready.get("version"))
    return (
        f"{table(HEADS, [row(peer, peers[0], tops) for peer in peers])}\n\n"
        f"Medians of {sitting.rounds} turns of {steps} steps of {chosen['batch_size']} x {chosen['sequence_length']} words, taken in turn. "
        f"The roof, the fastest matrix product in the same rounds: {roofs or 'not known'}; a word takes "
        f"{recipes.operations(chosen) / 1e6:.2f} MFLOP. {'; '.join(versions)}."
    )


def training(sitting, chosen=None):
    """The book's sizes, against everybody."""
    steps = sitting.steps(12, 3)
    chosen = paced(chosen or recipes.settings_of("cookbook"), sitting.rounds, steps)
    peers = [
        *recipes.ours(chosen),
        recipes.cookbook(chosen),
        recipes.keras(chosen),
        recipes.keras(chosen, jit=True),
        recipes.pytorch(chosen),
        recipes.pytorch(chosen, bfloat16=True),
    ]
    return compared(sitting, chosen, peers, steps)


def default(sitting, chosen=None):
    """The sizes of params.yaml, with dropout, projection and tied weights."""
    steps = sitting.steps(25, 5)
    chosen = paced(chosen or recipes.settings_of(), sitting.rounds, steps)
    peers = [*recipes.ours(chosen), recipes.keras(chosen), recipes.keras(chosen, jit=True), recipes.pytorch(chosen)]
    return compared(sitting, chosen, peers, steps)


def large_vocabulary(sitting, chosen=None):
    """The book's sizes with 100,000 words: one process alive at a time, a new one in each round."""
    rounds, steps = min(sitting.rounds, 3), sitting.steps(2, 1)
    chosen = paced(chosen or {**recipes.settings_of("cookbook"), "vocabulary": sitting.steps(LARGE_VOCABULARY, 20_000)}, 1, steps)
    variants = [recipes.sampled(chosen), recipes.adaptive(chosen)]
    peers = [*recipes.ours(chosen), *variants, recipes.keras(chosen), recipes.pytorch(chosen)]
    driver.alternate_apart(peers, rounds, steps)
    about = (
        f"Medians of {rounds} turns of {steps} steps of {chosen['batch_size']} x {chosen['sequence_length']} words, vocabulary "
        f"{chosen['vocabulary']:,}; a word takes {recipes.operations(chosen) / 1e6:.2f} MFLOP."
    )
    return f"{table(HEADS, [row(peer, peers[0], {}) for peer in peers])}\n\n{about}"


def growth(sitting, chosen=None, values=None):
    """Words/s against vocabulary, hidden size and batch size, ours and stock Keras."""
    base = chosen or recipes.settings_of("cookbook")
    rounds, rows = min(sitting.rounds, 3), []
    for name, sizes in (values or GROWTH).items():
        for size in sizes[:: len(sizes) - 1 or 1] if sitting.quick else sizes:
            shape = {**base, name: size}
            words = shape["batch_size"] * shape["sequence_length"]
            # About a second a turn, on a machine of some 100 GFLOP/s.
            steps = sitting.steps(max(2, min(50, round(7e10 / (recipes.operations(shape) * words)))), 1)
            shape = paced(shape, rounds, steps)
            peers = [recipes.ours(shape)[0], recipes.keras(shape)]
            if name == "vocabulary":
                peers += [recipes.sampled(shape), recipes.adaptive(shape)]
            driver.say(f"  {name} {size:,}")
            if size == LARGE_VOCABULARY:
                driver.alternate_apart(peers, 1, steps)
            else:
                driver.alternate(peers, rounds, steps)
            mine, theirs, *variants = map(words_per_second, peers)
            arithmetic = number(recipes.operations(shape) * mine / 1e9) if mine else None
            rows.append(
                [
                    f"{name.replace('_', ' ')} {size:,}",
                    number(mine) or f"none: {peers[0].problem}",
                    arithmetic,
                    number(theirs) or f"none: {peers[1].problem}",
                    ratio(driver.ratios(*map(seconds, peers[:2]))),
                    *(number(rate) for rate in variants or (None, None)),
                ]
            )
    about = (
        f"All other sizes: vocabulary {base['vocabulary']:,}, hidden size {base['hidden_size']}, batches of {base['batch_size']} x "
        f"{base['sequence_length']} words."
    )
    variants = [f"ours, {recipes.SAMPLED_WORDS:,} words sampled, words/s", "ours, adaptive softmax, words/s"]
    return f"{table(['', 'ours, words/s', 'ours, GFLOP/s', 'Keras 3, words/s', 'times as long as ours', *variants], rows)}\n\n{about}"
