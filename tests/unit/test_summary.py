from pathlib import Path

import pytest

from lstm_lm.commands import summary
from lstm_lm.errors import UserError

PAGE = """# Samples

## Greedy

- **to be** the the
- **thou** the the

## Temperature 0.7

- **to be** a king
- **to be** a ghost
- **thou** art  
  mine
- **thou** wert

## Temperature 1

- **to be** or
- **to be** not
- **thou** who
- **thou** what
"""


def test_the_first_text_of_each_prompt_at_the_middle_temperature_is_shown() -> None:
    assert summary.first_samples(PAGE, temperatures=[0, 0.7, 1.0], samples=2, prompts=2) == ["to be a king", "thou art / mine"]


def test_without_results_the_error_explains_how_to_create_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"reports/metrics.json is missing: run the pipeline first, with: make repro"):
        summary.summary()
