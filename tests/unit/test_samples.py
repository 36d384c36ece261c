import pytest

from conftest import PROJECT
from lstm_lm.config import loading
from lstm_lm.evaluation.samples import generate_samples, samples_page
from lstm_lm.export.generator import Generator
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.jobs import evaluate_sample
from lstm_lm.tracking import evaluation

DEFAULTS = loading.load(PROJECT / "params.yaml").evaluate_sample
PROMPTS = ["thou art", "to be"]


def text_generator(shared_text_model):
    """Return a function that generates texts of PROMPTS at a temperature and with further options."""
    generate = Generator(shared_text_model)
    return lambda temperature, **more: generate(
        PROMPTS, GenerationOptions(max_words=4, temperature=temperature, seed=DEFAULTS.seed, **more)
    )


@pytest.mark.slow
def test_each_prompt_has_one_text_per_temperature_by_default(shared_text_model):
    generate, texts = Generator(shared_text_model), text_generator(shared_text_model)
    config = DEFAULTS.model_copy(update={"prime_texts": PROMPTS, "max_words": 4, "temperatures": [0, 0.7]})
    sample_settings = evaluate_sample.sample_settings(config)
    samples = generate_samples(generate, sample_settings)
    assert [sample["text"] for sample in samples] == [*texts(0.0), *texts(0.7)]
    assert samples_page(samples, sample_settings, "char").splitlines()[2].startswith("4 characters each, ")
    lines = samples_page(samples, sample_settings).splitlines()
    assert lines[2].startswith("4 words each, ")
    values = {"top_k 0", "top_p 1", "seed 1", "min_p 0", "repetition_penalty 1", "no_repeat_ngram 0"}
    assert values <= {*lines[2].rstrip(".").split(", ")}
    assert [line for line in lines if line.startswith("#")] == ["# Samples", "## Greedy", "## Temperature 0.7"]
    assert lines[6] == f"- **thou art**{samples[0]['text'].removeprefix('thou art')}"


@pytest.mark.slow
def test_the_page_shows_random_samples_greedy_texts_and_beam_search(shared_text_model):
    generate, texts = Generator(shared_text_model), text_generator(shared_text_model)
    options = {"min_p": 0.1, "repetition_penalty": 1.2, "no_repeat_ngram": 2, "stop_at_sentence_end": True}
    changes = {"prime_texts": PROMPTS, "max_words": 4, "temperatures": [0.7, 0], "samples": 2, "beam_width": 3, **options}
    config = DEFAULTS.model_copy(update=changes)
    sample_settings = evaluate_sample.sample_settings(config)
    samples = generate_samples(generate, sample_settings)
    random, greedy, beam = samples[:4], samples[4:6], samples[6:]
    assert [sample["text"] for sample in random] == texts(0.7, samples=2, **options)
    assert [sample["prompt"] for sample in random] == ["thou art", "thou art", "to be", "to be"]
    assert [sample["text"] for sample in greedy] == texts(0.0, **options)
    assert [sample["text"] for sample in beam] == texts(0.0, beam_width=3, **options)
    page = samples_page(samples, sample_settings)
    heading = page.splitlines()[2].rstrip(".").split(", ")
    assert heading[:2] == ["At most 4 words each", "stop_at_sentence_end"]
    assert {"seed 1", "top_k 0", "top_p 1", "min_p 0.1", "repetition_penalty 1.2", "no_repeat_ngram 2"} <= {*heading}
    titles = [line for line in page.splitlines() if line.startswith("##")]
    assert titles == ["## Temperature 0.7", "## Greedy", "## Beam search, width 3"]
    assert page.count("\n- **to be**") == 4
    assert evaluation.sample_labels(samples[:2] + samples[4:5] + samples[6:7]) == [
        "T=0.7: thou art",
        "T=0.7 #2: thou art",
        "T=0: thou art",
        "beam 3: thou art",
    ]
