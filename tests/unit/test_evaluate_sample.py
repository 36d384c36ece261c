from conftest import PROJECT
from lstm_lm.config import loading
from lstm_lm.evaluation.samples import generate_samples, samples_page
from lstm_lm.export.generator import Generator
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.jobs import evaluate_sample
from lstm_lm.tracking import evaluation

CHOSEN = loading.load(PROJECT / "params.yaml").evaluate_sample
PROMPTS = ["thou art", "to be"]


def texts_of(shared_text_model):
    """A function from a temperature and further options to the texts of PROMPTS."""
    write = Generator(shared_text_model)
    return lambda temperature, **more: write(PROMPTS, GenerationOptions(max_words=4, temperature=temperature, seed=CHOSEN.seed, **more))


def test_by_default_there_is_a_text_of_each_prompt_and_temperature(shared_text_model):
    write, texts = Generator(shared_text_model), texts_of(shared_text_model)
    chosen = CHOSEN.model_copy(update={"prime_texts": PROMPTS, "max_words": 4, "temperatures": [0, 0.7]})
    wanted = evaluate_sample.sample_settings(chosen)
    samples = generate_samples(write, wanted)
    assert [sample["text"] for sample in samples] == [*texts(0.0), *texts(0.7)]
    lines = samples_page(samples, wanted).splitlines()
    assert lines[2].startswith("4 words each, ")
    values = {"top_k 0", "top_p 1", "seed 1", "min_p 0", "repetition_penalty 1", "no_repeat_ngram 0"}
    assert values <= {*lines[2].rstrip(".").split(", ")}
    assert [line for line in lines if line.startswith("#")] == ["# Samples", "## Greedy", "## Temperature 0.7"]
    assert lines[6] == f"- **thou art**{samples[0]['text'].removeprefix('thou art')}"


def test_samples_and_the_beam_stand_beside_the_greedy_text(shared_text_model):
    write, texts = Generator(shared_text_model), texts_of(shared_text_model)
    options = {"min_p": 0.1, "repetition_penalty": 1.2, "no_repeat_ngram": 2, "stop_at_sentence_end": True}
    changes = {"prime_texts": PROMPTS, "max_words": 4, "temperatures": [0.7, 0], "samples": 2, "beam_width": 3, **options}
    chosen = CHOSEN.model_copy(update=changes)
    wanted = evaluate_sample.sample_settings(chosen)
    samples = generate_samples(write, wanted)
    drawn, greedy, beam = samples[:4], samples[4:6], samples[6:]
    assert [sample["text"] for sample in drawn] == texts(0.7, samples=2, **options)
    assert [sample["prompt"] for sample in drawn] == ["thou art", "thou art", "to be", "to be"]
    assert [sample["text"] for sample in greedy] == texts(0.0, **options)
    assert [sample["text"] for sample in beam] == texts(0.0, beam_width=3, **options)
    page = samples_page(samples, wanted)
    heading = page.splitlines()[2].rstrip(".").split(", ")
    assert heading[:2] == ["At most 4 words each", "stop_at_sentence_end"]
    assert {"seed 1", "top_k 0", "top_p 1", "min_p 0.1", "repetition_penalty 1.2", "no_repeat_ngram 2"} <= {*heading}
    titles = [line for line in page.splitlines() if line.startswith("##")]
    assert titles == ["## Temperature 0.7", "## Greedy", "## Beam search, width 3"]
    assert page.count("\n- **to be**") == 4
    assert evaluation.sample_labels(samples[:2] + samples[4:5] + samples[6:7]) == [
        "thou art (T=0.7)",
        "thou art (T=0.7, 2)",
        "thou art (greedy)",
        "thou art (beam 3)",
    ]
