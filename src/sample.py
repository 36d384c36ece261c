"""Continue a prompt with this checkout's model: `python src/sample.py "to be or not to"`."""

import argparse
import sys
import unicodedata
from pathlib import Path

from lstm_lm.config import loading
from lstm_lm.errors import UserError
from lstm_lm.io import memory
from lstm_lm.text.tokenization import bpe, vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.ui import console

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
    parser.add_argument(
        "--min-p", type=float, default=0.0, help="among words this times as probable as the likeliest; 0: all (default: %(default)s)"
    )
    parser.add_argument(
        "--repetition-penalty", type=float, default=1.0, help="above 1: words that were there are less probable (default: %(default)s)"
    )
    parser.add_argument(
        "--no-repeat-ngram", type=int, default=0, help="never so many words in a row that were there; 0: off (default: %(default)s)"
    )
    parser.add_argument("--stop-at-sentence-end", action="store_true", help="end with the first . ! ? or <eos>, where these are words")
    parser.add_argument("--samples", type=int, default=1, help="texts to write, one a line (default: %(default)s)")
    parser.add_argument(
        "--beam-width", type=int, default=1, help="above 1: the best texts of a beam search, nothing is drawn (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same text (default: %(default)s)")
    chosen = parser.parse_args()
    if chosen.prompt is None:
        chosen.prompt = loading.load().evaluate_sample.prime_texts[0]
    checks = [
        ("--max-words", chosen.max_words, 0 <= chosen.max_words <= 100_000, "from 0 to 100000"),
        ("--temperature", chosen.temperature, 0 <= chosen.temperature <= 100, "from 0 to 100"),
        ("--top-k", chosen.top_k, 0 <= chosen.top_k < 2**31, "from 0 to 2147483647"),
        ("--top-p", chosen.top_p, 0 < chosen.top_p <= 1, "above 0 and at most 1"),
        ("--min-p", chosen.min_p, 0 <= chosen.min_p <= 1, "from 0 to 1"),
        ("--repetition-penalty", chosen.repetition_penalty, 0.01 <= chosen.repetition_penalty <= 100, "from 0.01 to 100"),
        ("--no-repeat-ngram", chosen.no_repeat_ngram, 0 <= chosen.no_repeat_ngram <= 100, "from 0 to 100"),
        ("--beam-width", chosen.beam_width, 1 <= chosen.beam_width <= 256, "from 1 to 256"),
        ("--samples", chosen.samples, 1 <= chosen.samples <= 256, "from 1 to 256"),
        (
            "--samples",
            chosen.samples,
            chosen.beam_width == 1 or chosen.samples <= chosen.beam_width,
            f"at most --beam-width, which is {chosen.beam_width}",
        ),
        ("--seed", chosen.seed, 0 <= chosen.seed < 2**31, "from 0 to 2147483647"),
    ]
    for name, value, fine, allowed in checks:
        if not fine:
            raise UserError(f"{name} = {value}: must be {allowed}")
    if any("\ud800" <= c <= "\udfff" for c in chosen.prompt):  # how Python reads bytes of another encoding
        raise UserError("the prompt is not UTF-8: type it in a terminal that is")
    if not chosen.prompt.strip():
        raise UserError(f"the prompt {chosen.prompt!r} has no word in it: give it one or more")
    if len(chosen.prompt) > MOST_CHARACTERS:
        raise UserError(f"the prompt has {len(chosen.prompt):,} characters: must be at most {MOST_CHARACTERS:,}")
    folder = console.trained_model()
    known = vocabulary.tokens(folder / "assets/vocabulary.txt")[1:]
    check_known(chosen.prompt, known)
    memory.keep_freed()
    with console.quiet_tensorflow():
        import tensorflow as tf

        from lstm_lm.export import saved_model
        from lstm_lm.export.saved_model import Generator
    tf.config.threading.set_intra_op_parallelism_threads(1)  # a word's arithmetic is too little to share
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if chosen.stop_at_sentence_end and set(known).isdisjoint(saved_model.SENTENCE_ENDS):
        ends = " ".join(saved_model.SENTENCE_ENDS)
        print(f"note: --stop-at-sentence-end has no effect: none of {ends} is a word of the model", file=sys.stderr)
    options = {name: value for name, value in vars(chosen).items() if name not in ("prompt", "max_words")}
    print("\n".join(Generator(saved_model.load_text_model(folder))([chosen.prompt], chosen.max_words, **options)))


def check_known(prompt, known):
    """Refuse a prompt with none of the words that the model knows, a list: its text would have nothing to do with it."""
    tokenizer = Path("data/vocab/tokenizer.json")
    if not tokenizer.exists():
        return
    tokens = Tokenizer.load(tokenizer)(unicodedata.normalize("NFC", prompt))
    if not tokens:
        raise UserError(f"the prompt {prompt!r} has no word in it: give it one or more")
    if not ({*tokens} - {" ", bpe.SPACE}) & {*known}:
        raise UserError(
            f"none of the words of the prompt {prompt[:80]!r} is among the {len(known):,} that the model knows: "
            f"give it at least one word of data/vocab/vocab.csv"
        )


if __name__ == "__main__":
    console.run(main)
