import re
from pathlib import Path

import numpy as np
import pytest

from lstm_lm.io import arrays
from lstm_lm.io.arrays import Blocks, Writer

VALUES = np.arange(1000, dtype=np.int32)


@pytest.mark.parametrize("sizes", [[1000], [1, 0, 998, 1], [300, 300, 400]])
@pytest.mark.parametrize("shape", [(1000,), (10, 100), (2, 5, 100)])
def test_saved_blocks_equal_a_file_of_numpy(tmp_path, sizes, shape):
    np.save(tmp_path / "whole.npy", VALUES.reshape(shape))
    arrays.save(tmp_path / "blocks.npy", Blocks(shape, iter(np.split(VALUES, np.cumsum(sizes)[:-1]))))
    assert (tmp_path / "blocks.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    arrays.save(tmp_path / "array.npy", VALUES.reshape(shape))
    assert (tmp_path / "array.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_a_writer_needs_no_length_in_advance(tmp_path):
    with Writer(tmp_path / "a.npy") as writer:
        for block in np.split(VALUES, 4):
            writer.append(block)
    np.save(tmp_path / "b.npy", VALUES)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    with Writer(tmp_path / "empty.npy"):
        pass
    assert arrays.load(tmp_path / "empty.npy").shape == (0,)


def test_blocks_that_do_not_match_the_shape_are_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"1000 values for an array of shape \(3, 3\)"):
        arrays.save(tmp_path / "a.npy", Blocks((3, 3), [VALUES]))


def test_values_are_replaced_in_place(tmp_path):
    np.save(tmp_path / "a.npy", VALUES % 7)
    before = arrays.load(tmp_path / "a.npy")
    table = np.array([3, 1, 4, 1, 5, 9, 2], np.int32)
    arrays.replace_values(tmp_path / "a.npy", table, size=64)
    assert np.load(tmp_path / "a.npy").tolist() == table[VALUES % 7].tolist() == before.tolist()


def test_a_slice_is_read_in_blocks(tmp_path):
    np.save(tmp_path / "a.npy", VALUES)
    mapped = arrays.load(tmp_path / "a.npy")
    assert [block.tolist() for block in arrays.blocks(mapped, 5, 15, 4)] == [[5, 6, 7, 8], [9, 10, 11, 12], [13, 14]]
    assert [len(block) for block in arrays.blocks(VALUES, size=400)] == [400, 400, 200]


def resident():
    """Return the bytes of mapped files in the memory of this process."""
    return 1024 * int(re.search(r"RssFile:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_released_array_leaves_memory_and_is_still_readable(tmp_path):
    np.save(tmp_path / "a.npy", np.ones([4, 2**21], np.int32))
    mapped = arrays.load(tmp_path / "a.npy")
    before = resident()
    assert mapped.sum() == mapped.size
    assert resident() - before > 30e6
    arrays.release(mapped[:, 5:9])  # any slice releases the whole array
    assert resident() - before < 3e6
    assert mapped[:, 5:9].sum() == 16
    arrays.release(VALUES)
    assert VALUES[-1] == 999
