import pytest

from lstm_lm.generation import options
from lstm_lm_serving import budget, checks
from lstm_lm_serving.budget import Load
from lstm_lm_serving.checks import check_options
from lstm_lm_serving.errors import Busy, Refused
from lstm_lm_serving.limits import Limits
from lstm_lm_serving.requests import Checked
from lstm_lm_serving.speed import Speed
from lstm_lm_serving.texts import Text

TABLE = options.served_table()
NOTHING = Load(0, 0, 0, 0.0)


def speed():
    """64 rows: 16,000 words/s, half of it if they look back."""
    measured = Speed({1: 0.0004, 64: 0.0032}, 0.001, 2.0, 0.0001)
    measured.slowdown = 1.0
    return measured


def texts(count, best_of=1, **values):
    values = check_options(values, TABLE)
    looks_back = checks.looks_back(values, TABLE)
    return [Checked(Text("king"), b"king", "king", values, (), max(best_of, values["samples"]), looks_back=looks_back)] * count


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (texts(3, samples=100), "samples = 100 with 3 prompts makes 300 texts at once: must be at most 256 in a request"),
        (texts(1, best_of=300), "best_of = 300 with 1 prompt makes 300 texts at once: must be at most 256 in a request"),
        (texts(3, beam_width=100), "beam_width = 100 with 3 prompts makes 300 texts at once: must be at most 256 in a request"),
        (texts(2, best_of=200), "best_of = 200 with 2 prompts makes 400 texts"),
        (texts(200, max_words=700), "max_words x texts = 140000 words: must be at most 100000, 500 for each of 200 texts"),
        (
            texts(2, beam_width=100, max_words=500),
            "max_words x beam_width x prompts = 100000 words of beam searches: must be at most 50000",
        ),
    ],
)
def test_a_request_that_is_too_large_is_refused(request_, message):
    with pytest.raises(Refused, match=message):
        budget.check_size(request_, Limits(max_words_per_request=100_000), TABLE)


def test_a_request_that_takes_too_long_even_alone_is_refused():
    budget.check_time(texts(64, max_words=1000), 55.0, NOTHING, speed(), 64)
    with pytest.raises(Refused, match=r"64000 words would take about 4 s .* at most 1.6 s, in which about 25\d\d\d words"):
        budget.check_time(texts(64, max_words=1000), 2.0, NOTHING, speed(), 64)
    with pytest.raises(Refused, match="about 8 s"):  # it looks back
        budget.check_time(texts(64, max_words=1000, no_repeat_ngram=3), 7.0, NOTHING, speed(), 64)


def test_one_text_is_not_faster_than_its_steps():
    budget.check_time(texts(1, max_words=1000), 1.0, NOTHING, speed(), 64)
    with pytest.raises(Refused, match=r"1000 words would take about 0\.5 s"):
        budget.check_time(texts(1, max_words=1000), 0.5, NOTHING, speed(), 64)


def test_a_long_request_beside_others_is_refused_for_now_and_a_short_one_is_not():
    busy = Load(requests=4, texts=1024, words=600_000, beam_seconds=0.0)
    with pytest.raises(Busy) as refused:
        budget.check_time(texts(256, max_words=1000), 55.0, busy, speed(), 64)
    assert refused.value.retry_after >= 1
    assert str(refused.value).startswith("4 requests with 600000 words are being answered: 256000 more words would take about 54 s")
    budget.check_time(texts(1, max_words=100), 55.0, busy, speed(), 64)


def test_one_of_a_kind_is_singular():
    with pytest.raises(Refused, match=r"^1 word would take about .* s, in which about 0 words can be generated$"):
        budget.check_time(texts(1, max_words=1), 0.0001, NOTHING, speed(), 64)
    with pytest.raises(Refused, match=r"^max_words x texts = 500 words: must be at most 400$"):
        budget.check_size(texts(1, max_words=500), Limits(max_words_per_request=400), TABLE)
    with pytest.raises(Busy, match=r"^1 request with 1 word is being answered: 2 more words would take about 50 s"):
        budget.check_time(texts(1, beam_width=2, max_words=1), 55.0, Load(1, 1, 1, 50.0), speed(), 64)
    with pytest.raises(Busy, match="answered: 1 more word would take"):
        budget.check_time(texts(1, max_words=1), 0.01, Load(2, 1000, 10_000, 0.0), Speed({1: 0.0004, 64: 0.32}, 0.001, 2.0, 0.0001), 64)


def test_a_beam_search_waits_for_other_searches_only():
    busy = Load(requests=4, texts=0, words=0, beam_seconds=50.0)
    with pytest.raises(Busy):
        budget.check_time(texts(1, beam_width=4, max_words=100), 55.0, busy, speed(), 64)
    budget.check_time(texts(1, max_words=100), 55.0, busy, speed(), 64)


def test_a_slow_machine_lowers_what_is_allowed():
    slow = speed()
    for _ in range(300):
        slow.observe(64, False, 10, 10 * 0.0128 + 0.004)
    assert slow.step(64, False) == pytest.approx(0.0128, rel=0.01)
    with pytest.raises(Refused, match="64000 words would take about 16 s"):
        budget.check_time(texts(64, max_words=1000), 18.0, NOTHING, slow, 64)


def test_one_call_that_is_far_too_slow_hardly_changes_what_is_allowed():
    measured = speed()
    for _ in range(100):
        measured.observe(64, False, 10, 0.033)
    usual = measured.slowdown
    measured.observe(64, False, 10, 33.0)
    assert measured.slowdown < usual + 0.25


def test_the_first_calls_soon_replace_what_is_assumed():
    measured = Speed({1: 0.0004, 64: 0.0032}, 0.001, 2.0, 0.0001)
    assert measured.slowdown > 1
    for _ in range(4):
        measured.observe(1, False, 10, 0.5 * 0.005)
    assert measured.slowdown == pytest.approx(0.7)
