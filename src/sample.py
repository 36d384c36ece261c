"""Continue a prompt with this checkout's model: `python src/sample.py "to be or not to"`."""

import argparse
import unicodedata
from pathlib import Path

from lstm_lm import bpe, console, memory, params, vocabulary

MOST_CHARACTERS = 10_000  # as the served model


def main():
    parser = argparse.ArgumentParser(description="Continue a prompt with the model in models/saved_model.")
    parser.add_argument("prompt", nargs="?", help="a few words to start from (default: the first of evaluate_sample.prime_texts)")
    parser.add_argument("--max-words", type=int, default=40, help="words to write (default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0 is greedy (default: %(default)s)")
    parser.add_argument("--top-k", type=int, default=0, help="among the k most probable words; 0: all (default: %(default)s)")
    parser.add_argument(
        "--top-p", type=float, default=1.0, help="among the most probable words of this share; 1: all (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same text (default: %(default)s)")
    chosen = parser.parse_args()
    if chosen.prompt is None:
        chosen.prompt = params.load().evaluate_sample.prime_texts[0]
    checks = [
        ("--max-words", chosen.max_words, 0 <= chosen.max_words <= 100_000, "from 0 to 100000"),
        ("--temperature", chosen.temperature, 0 <= chosen.temperature <= 100, "from 0 to 100"),
        ("--top-k", chosen.top_k, 0 <= chosen.top_k < 2**31, "from 0 to 2147483647"),
        ("--top-p", chosen.top_p, 0 < chosen.top_p <= 1, "above 0 and at most 1"),
        ("--seed", chosen.seed, 0 <= chosen.seed < 2**31, "from 0 to 2147483647"),
    ]
    for name, value, fine, allowed in checks:
        if not fine:
            raise console.UserError(f"{name} = {value}: must be {allowed}")
    if any("\ud800" <= c <= "\udfff" for c in chosen.prompt):  # how Python reads bytes of another encoding
        raise console.UserError("the prompt is not UTF-8: type it in a terminal that is")
    if not chosen.prompt.strip():
        raise console.UserError(f"the prompt {chosen.prompt!r} has no word in it: give it one or more")
    if len(chosen.prompt) > MOST_CHARACTERS:
        raise console.UserError(f"the prompt has {len(chosen.prompt):,} characters: must be at most {MOST_CHARACTERS:,}")
    folder = console.trained_model()
    check_known(chosen.prompt, folder)
    memory.keep_freed()
    with console.quiet_tensorflow():
        import tensorflow as tf

        from lstm_lm import export
    tf.config.threading.set_intra_op_parallelism_threads(1)  # a word's arithmetic is too little to share
    tf.config.threading.set_inter_op_parallelism_threads(1)
    write = export.Generator(export.load_text_model(folder))
    print(write([chosen.prompt], chosen.max_words, chosen.temperature, chosen.top_k, chosen.top_p, chosen.seed)[0])


def check_known(prompt, folder):
    """Refuse a prompt of which the model knows no word: its text would have nothing to do with it."""
    tokenizer = Path("data/vocab/tokenizer.json")
    if not tokenizer.exists():
        return
    tokens = vocabulary.Tokenizer.load(tokenizer)(unicodedata.normalize("NFC", prompt))
    if not tokens:
        raise console.UserError(f"the prompt {prompt!r} has no word in it: give it one or more")
    known = (folder / "assets/vocabulary.txt").read_text(encoding="utf-8").split("\n")[1:-1]
    if not ({*tokens} - {" ", bpe.SPACE}) & {*known}:
        raise console.UserError(
            f"none of the words of the prompt {prompt[:80]!r} is among the {len(known):,} that the model knows: "
            f"give it at least one word of data/vocab/vocab.csv"
        )


if __name__ == "__main__":
    console.run(main)
