import numpy as np
import pytest

from row_trial import BATCHES, KINDS, Trial

pytestmark = pytest.mark.slow


def test_a_row_has_the_same_text_alone_and_in_batches_of_any_size():
    """At the default's real size, because small products are computed in another way. row_trial.py itself does more of it."""
    trial = Trial(3 * len(KINDS), 40)
    assert len(np.unique(trial.alone[:, : trial.words])) > 200
    assert {batch: trial.differing(batch) for batch in (2, 5, 21)} == {2: 0, 5: 0, 21: 0}
    assert max(BATCHES) == 64
