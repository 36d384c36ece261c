import numpy as np

from lstm_lm.data.dataset import Document
from lstm_lm.data.description import describe_held_out, describe_scored_words
from lstm_lm.text.encoded import NO_SPACE_AFTER, NO_SPACE_BEFORE, Characters, Part
from plain import held_out


def test_a_description_counts_the_scored_words():
    words = [["a", "x", "b", "x", "y"], ["z", "é"], ["b"]]
    ids = [np.array([1, 0, 2, 0, 0], np.int32), np.array([0, 3], np.int32), np.array([2], np.int32)]
    description, all_ids = held_out(["one", "two", "three"], words, ids)
    assert all_ids.tolist() == [1, 0, 2, 0, 0, 0, 3, 2]
    assert description.documents[:2] == [Document("one", 0, 5), Document("two", 5, 2)]
    assert description.scored_words == 5  # all but the first word of each document
    assert description.unknown_words == 3
    assert description.unknown_types == 3  # x, y, z
    assert description.characters == len(" x b x y") + len(" é")
    # The description is the same if unknown words have ids of their own: x, y and z are 4, 5 and 6.
    whole = np.array([2, 1, 4, 2, 4, 5, 6, 3, 2], np.int32)
    part = Part(whole, [("one", 1, 6), ("two", 6, 8), ("three", 8, 9)])
    spaces_everywhere = Characters(np.array([5, 1, 1, 1, 2, 2, 2], np.int32), np.zeros(7, np.int32))
    assert describe_held_out(part, Characters(np.ones(7, np.int32), np.zeros(7, np.int32)), 4) == description
    # Here, a known word and its space have 2 characters, an unknown word and its space 3.
    unknown, characters = describe_scored_words(part, spaces_everywhere, 4)
    assert [flags.tolist() for flags in unknown] == [[True, False, True, True], [False], []]
    assert [numbers.tolist() for numbers in characters] == [[3, 2, 3, 3], [2], []]


def test_characters_are_counted_in_the_detokenized_text():
    # The tokens are "so", "," without a space before it, "(" without one after it, and a newline without either.
    characters = Characters(
        np.array([5, 2, 1, 1, 1], np.int32), np.array([0, 0, NO_SPACE_BEFORE, NO_SPACE_AFTER, NO_SPACE_BEFORE | NO_SPACE_AFTER], np.int32)
    )
    ids = np.array([1, 2, 3, 1, 4, 4, 1, 0], np.int32)
    assert characters.count(ids, previous=1).tolist() == [3, 1, 2, 2, 1, 1, 2, 6]
    assert characters.count(ids, previous=3).sum() == len("so, (so\n\nso <unk>")
    part = Part(ids, [("one", 0, 3), ("two", 3, 8)])
    assert describe_held_out(part, characters, 5).characters == len(", (") + len("\n\nso <unk>")
