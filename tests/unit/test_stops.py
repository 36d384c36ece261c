import itertools

import pytest

from lstm_lm_serving.stops import StopMatcher, stop

TEXT = " the king the kin of the kitchen"


def pieces_of(text, lengths):
    start = 0
    for length in itertools.chain(lengths, itertools.repeat(lengths[-1])):
        if start >= len(text):
            return
        yield text[start : start + length]
        start += length


def released(text, stops, lengths):
    """Return what a matcher releases of a text that arrives in pieces, piece by piece, and whether it found a stop string."""
    matcher, shown = StopMatcher(stops), []
    for piece in pieces_of(text, lengths):
        new, was_found = matcher.push(piece)
        shown.append(new)
        if was_found:
            return shown, True
    return [*shown, matcher.finish()], False


@pytest.mark.parametrize("lengths", [[1], [2], [3, 1, 7], [5], [100]])
@pytest.mark.parametrize("stops", [["kin of"], ["of", "kin o"], [" kitchen!"], ["en"], ["xyz"], ["king", "kin"], ["aab"], ["the k", "he"]])
def test_a_text_ends_before_the_stop_string_that_is_complete_first_however_it_is_split(stops, lengths):
    ends = [(place + len(each), place) for each in stops if (place := TEXT.find(each)) >= 0]
    shown, was_found = released(TEXT, stops, lengths)
    assert "".join(shown) == (TEXT[: min(ends)[1]] if ends else TEXT)
    assert was_found == bool(ends)
    assert stop(TEXT, stops) == ("".join(shown), was_found)


def test_only_what_may_be_the_start_of_a_stop_string_is_held_back():
    matcher = StopMatcher(["kin of", "of"])
    assert matcher.push(" the ki") == (" the ", False)
    assert matcher.push("ng o") == ("king ", False)
    assert matcher.push("n") == ("on", False)
    assert matcher.push(" kin o") == (" ", False)
    assert matcher.finish() == "kin o"


def test_a_stop_string_that_repeats_itself_is_found_across_pieces():
    assert released("aaaab", ["aab"], [1]) == (["", "", "a", "a", ""], True)


def test_without_stop_strings_a_text_stays_as_it_is():
    assert stop("a text", ()) == ("a text", False)
