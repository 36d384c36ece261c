import numpy as np
import pytest

from lstm_lm.data import windows


def test_streams_are_contiguous_and_drop_a_short_tail():
    streams = windows.stream(np.arange(23, dtype=np.int32), 4)
    assert streams.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]
    assert streams.dtype == np.int32


def test_targets_are_the_next_words_across_window_edges():
    streams = windows.stream(np.arange(200, dtype=np.int32), 4)
    pairs = list(windows.stream_windows(streams, 7))
    assert len(pairs) == windows.steps_per_epoch(streams, "stream", 7) == 7
    inputs = np.concatenate([x for x, _ in pairs], axis=1)
    targets = np.concatenate([y for _, y in pairs], axis=1)
    assert (targets == inputs + 1).all()  # the text counts up, so the next word is one more
    assert (inputs[:, :-1] + 1 == inputs[:, 1:]).all()  # window k + 1 starts where window k ended
    assert len(np.unique(inputs)) == inputs.size  # no word occurs twice
    assert streams.shape[1] - inputs.shape[1] <= 7  # a tail shorter than a window is dropped


def test_a_text_of_exactly_one_window_is_one_step():
    assert windows.steps_per_epoch(windows.stream(np.arange(16, dtype=np.int32), 2), "stream", 7) == 1
    with pytest.raises(ValueError, match="too few"):
        windows.stream(np.arange(3, dtype=np.int32), 2)


def test_short_windows_move_the_window_edges_and_skip_no_word():
    streams = windows.stream(np.arange(4000, dtype=np.int32), 4)
    epochs = [list(windows.epoch_windows(streams, "stream", 7, 1, epoch, 0.3)) for epoch in (1, 2, 1)]
    for epoch, pairs in zip((1, 2), epochs, strict=False):
        assert len(pairs) == windows.steps_per_epoch(streams, "stream", 7, 1, epoch, 0.3)
        inputs, targets = (np.concatenate(part, axis=1) for part in zip(*pairs, strict=True))
        assert (inputs == streams[:, : inputs.shape[1]]).all()
        assert (targets == inputs + 1).all()
        assert streams.shape[1] - inputs.shape[1] <= 7
        assert {x.shape[1] for x, _ in pairs} == {3, 7}
        assert np.mean([x.shape[1] == 3 for x, _ in pairs]) == pytest.approx(0.3, abs=0.1)
    lengths = [[x.shape[1] for x, _ in pairs] for pairs in epochs]
    assert lengths[0] == lengths[2] != lengths[1]
    assert [x.shape[1] for x, _ in windows.stream_windows(streams, 1, 0.5, np.random.default_rng(0))] == [1] * 999


def test_cookbook_chunks_match_the_book():
    ids = np.arange(100, dtype=np.int32)
    chunks = windows.cookbook(ids, 3, 4)
    # This is the code of the book.
    num_batches = int(len(ids) / (3 * 4)) + 1
    expected = [np.resize(x, [3, 4]) for x in np.array_split(ids, num_batches)]
    assert chunks.tolist() == [chunk.tolist() for chunk in expected]


@pytest.mark.parametrize("words", [2, 3, 11, 12, 13, 24, 100, 1000])
@pytest.mark.parametrize(("batch", "time"), [(1, 1), (3, 4), (2, 6)])
@pytest.mark.parametrize("sizes", [[1], [5], [2, 0, 7], [1000]])
def test_batching_in_blocks_equals_batching_the_whole_text(words, batch, time, sizes):
    ids = np.arange(1, words + 1, dtype=np.int32)
    stops = np.cumsum(sizes * words)
    blocks = np.split(ids, stops[stops < words])
    if words >= 2 * batch:
        shape, batched = windows.stream_blocks(iter(blocks), words, batch)
        assert np.concatenate([block.ravel() for block in batched]).reshape(shape).tolist() == windows.stream(ids, batch).tolist()
    shape, batched = windows.cookbook_blocks(iter(blocks), words, batch, time)
    assert np.concatenate([block.ravel() for block in batched]).reshape(shape).tolist() == windows.cookbook(ids, batch, time).tolist()


def test_cookbook_windows_are_shuffled_and_rolled_within_the_row():
    chunks = windows.cookbook(np.arange(100, dtype=np.int32), 3, 4)
    order = [2, 0, 1]
    for i, (inputs, targets) in zip(order, windows.cookbook_windows(chunks, order), strict=True):
        assert (inputs == chunks[i]).all()
        assert (targets[:, :-1] == inputs[:, 1:]).all()
        assert (targets[:, -1] == inputs[:, 0]).all()  # the book's flaw, reproduced on purpose


def test_cookbook_epochs_differ_and_depend_on_the_seed():
    chunks = windows.cookbook(np.arange(5000, dtype=np.int32), 3, 4)
    first = [x[0, 0] for x, _ in windows.epoch_windows(chunks, "cookbook", 4, 1, 1)]
    assert first == [x[0, 0] for x, _ in windows.epoch_windows(chunks, "cookbook", 4, 1, 1)]
    assert first != [x[0, 0] for x, _ in windows.epoch_windows(chunks, "cookbook", 4, 1, 2)]
    assert sorted(first) == sorted(chunks[:, 0, 0])
    assert len(first) == windows.steps_per_epoch(chunks, "cookbook", 4)
