"""Reading prompts: their states, and the words of those that are echoed with probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from lstm_lm_serving.alignment import Token
from lstm_lm_serving.requests import Prompt
from lstm_lm_serving.saved_model import Prompts, SavedModel
from lstm_lm_serving.texts import PromptFacts

CHARACTERS_PER_WORD = 4  # about
LONG_WORDS = 256  # a prompt that is probably longer is read beside the decode loop
MAX_READ_WORDS = 32_768  # in one call beside the decode loop


class ReadPrompt(NamedTuple):
    """A prompt with what the model makes of it.

    Attributes:
        prompt: that was read.
        read: with other prompts.
        place: of the prompt's first row in `read`.
        number: of the prompt in `read`.
        tokens: of the prompt, if they are echoed with probabilities.
    """

    prompt: Prompt
    read: Prompts
    place: int
    number: int
    tokens: Sequence[Token]

    def start_rows(self) -> None:
        """Give the prompt's rows their states, in the engine's thread."""
        read, prompt = self.read, self.prompt
        facts = PromptFacts(words=int(read.words[self.number]), known=int(read.known[self.number]))
        prompt.start(facts, self.tokens)
        if not prompt.rows:
            return
        state = read.state[:, :, self.place].copy()  # one for all its samples, which do not change it
        history = [word for word in read.history[self.place].tolist() if word >= 0] if prompt.looks_back else None
        for row, key in zip(prompt.rows, read.keys[self.place :].tolist(), strict=False):
            row.state, row.last, row.key = state, int(read.last[self.place]), key
            row.history = None if history is None else list(history)


def read(model: SavedModel, prompts: Sequence[Prompt]) -> list[ReadPrompt]:
    """Read prompts in one call."""
    samples = [max(len(prompt.rows), 1) for prompt in prompts]
    result = model.prefill([prompt.checked.prompt for prompt in prompts], samples)
    places = [sum(samples[:number]) for number in range(len(prompts))]
    return [
        ReadPrompt(prompt, result, place, number, _tokens(model, prompt))
        for number, (prompt, place) in enumerate(zip(prompts, places, strict=True))
    ]


def estimated_words(prompt: Prompt) -> int:
    """Return about how many words a prompt has, rather too many."""
    return len(prompt.checked.prompt) // CHARACTERS_PER_WORD + 1


def is_short(prompt: Prompt) -> bool:
    """Whether a prompt may be read between two chunks of the decode loop."""
    return estimated_words(prompt) <= LONG_WORDS and not (prompt.text.echo and prompt.text.logprobs is not None)


def groups(prompts: Iterable[Prompt], max_words: int) -> Iterator[list[Prompt]]:
    """Split prompts into groups that are read in one call each: prompts x the words of the longest are at most `max_words`."""
    group: list[Prompt] = []
    longest = 0
    for prompt in prompts:
        length = max(longest, estimated_words(prompt))
        if group and length * (len(group) + 1) > max_words:
            yield group
            group, length = [], estimated_words(prompt)
        group.append(prompt)
        longest = length
    if group:
        yield group


def _tokens(model: SavedModel, prompt: Prompt) -> list[Token]:
    if not prompt.text.echo or prompt.text.logprobs is None:
        return []
    [scored] = model.score([prompt.checked.prompt])
    return [Token(token, None if nats is None else -nats) for token, nats in zip(scored.tokens, scored.nats, strict=True)]
