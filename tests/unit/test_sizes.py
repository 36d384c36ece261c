import shutil
from pathlib import Path

import pytest

from conftest import PROJECT, change_params
from lstm_lm.config import loading, sizes
from lstm_lm.errors import SettingError

SETTINGS = loading.load(PROJECT / "params.yaml")


def changed(tmp_path: Path, **changes: object) -> loading.Params:
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    change_params(tmp_path, {name.replace("__", "."): value for name, value in changes.items()})
    return loading.load(tmp_path / "params.yaml")


def test_a_model_that_no_machine_holds_is_refused_with_the_bytes_it_needs_and_has() -> None:
    with pytest.raises(SettingError) as error:
        sizes.check_memory(SETTINGS, 14_400_000_000)
    line = str(error.value)
    assert line.startswith(
        f"params.yaml: model.hidden_size: {SETTINGS.model.hidden_size}: the training needs at least 345.6 GB of memory "
        "(345.6 GB for 14,400,000,000 weights with gradients, Adam's moments and the best weights, 0.0 GB for the activations of a batch), "
    )
    assert line.endswith(" GB are free: use a smaller model")


def test_a_batch_that_is_too_large_is_refused_as_such(tmp_path: Path) -> None:
    settings = changed(tmp_path, batching__batch_size=100_000)
    with pytest.raises(SettingError, match=r"batching\.batch_size: 100000, with sequence_length \d+: the training needs at least"):
        sizes.check_memory(settings, 1_000_000, 10**10)


def test_the_default_training_needs_less_than_a_gigabyte() -> None:
    sizes.check_memory(SETTINGS, 5_000_000, 10**9)


def test_averages_of_the_weights_count_too(tmp_path: Path) -> None:
    parameters, available = 10**9, 31 * 10**9
    sizes.check_memory(SETTINGS, parameters, available - 6 * 10**9)
    with pytest.raises(SettingError):
        sizes.check_memory(changed(tmp_path, train__ema_decay=0.999), parameters, available)
