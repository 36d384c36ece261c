import itertools

from hypothesis import given
from hypothesis import strategies as st

from lstm_lm.tracking import champion
from lstm_lm.tracking.champion import Candidate, State


def versions(*metrics: float | None, test: str | None = "a") -> list[Candidate]:
    return [Candidate(number, metric, test) for number, metric in enumerate(metrics, 1)]


def test_a_better_version_on_the_same_test_text_becomes_the_champion() -> None:
    assert champion.champions(State(), versions(9.0, 10.0, 8.0, 8.5, 7.0)) == [1, 3, 5]


def test_an_equal_version_does_not_become_the_champion() -> None:
    assert champion.champions(State(), versions(9.0, 9.0)) == [1]


def test_another_test_text_or_no_metric_does_not_compete() -> None:
    others = [Candidate(2, 1.0, "b"), Candidate(3, 1.0, None), Candidate(4, None, "a")]
    assert champion.champions(State(), [*versions(9.0), *others]) == [1]


def test_versions_from_before_the_metrics_were_tagged_are_no_champions() -> None:
    assert champion.champions(State(), [Candidate(1, None, None), Candidate(2, 9.0, "a")]) == [2]
    assert champion.champions(State(), [Candidate(1, None, None)]) == []


def test_after_a_promotion_only_newer_versions_compete() -> None:
    state = champion.promoted(State(), versions(9.0, 10.0, 8.0), 2)
    assert champion.champions(state, versions(9.0, 10.0, 8.0)) == [1, 3, 2]
    assert champion.champions(state, versions(9.0, 10.0, 8.0, 11.0)) == [1, 3, 2]
    assert champion.champions(state, versions(9.0, 10.0, 8.0, 9.5)) == [1, 3, 2, 4]


def test_rolling_back_walks_along_the_history_and_ends() -> None:
    candidates = versions(9.0, 8.0, 7.0)
    state: State | None = champion.promoted(State(), candidates, 2)
    seen = []
    while state is not None:
        seen.append(champion.champions(state, candidates)[-1])
        state = champion.rolled_back(state, candidates)
    assert seen == [2, 3, 1]


def test_a_champion_that_is_gone_is_replaced_by_the_one_before_it() -> None:
    first, second = versions(9.0, 8.0)
    assert champion.champions(State(), [first]) == [1]
    assert champion.champions(State((1, 2), 2), [first, Candidate(2, 8.0, "a", is_usable=False)]) == [1]
    assert champion.champions(State((2,), 2), [first]) == [1]  # nothing is left of what was decided: all compete again
    assert champion.champions(State((2,), 2), [Candidate(1, 9.0, "a", is_usable=False)]) == []
    assert second.is_better_than(first)


def test_the_reason_names_both_values_or_the_command() -> None:
    first, second = versions(166.4, 180.3)
    assert champion.why_not(second, first) == "adjusted perplexity 180.3 is not below 166.4 of version 1"
    assert champion.why_not(Candidate(3, 166.41, "a"), first) == "adjusted perplexity 166.410000 is not below 166.400000 of version 1"
    other = champion.why_not(Candidate(4, 1.0, "b"), first)
    assert other == "measured on another test text than version 1: promote it on purpose with: make promote RUN=4"


def test_a_state_survives_its_tag_and_an_unreadable_one_is_none() -> None:
    state = State((1, 3), 4)
    assert State.from_json(state.to_json()) == state
    for text in (None, "", "{}", "[]", '{"history": 3, "through": 1}', '{"history": ["a"], "through": 1}'):
        assert State.from_json(text) == State()


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_whatever_the_order_in_which_versions_are_read_the_champion_is_the_same(metrics: list[int]) -> None:
    candidates = versions(*map(float, metrics))
    found = {tuple(champion.champions(State(), order)) for order in itertools.islice(itertools.permutations(candidates), 50)}
    assert len(found) == 1
    assert metrics[found.pop()[-1] - 1] == min(metrics)
