import pytest

from lstm_lm.ui.report import energy


@pytest.mark.parametrize(
    ("counters", "words"),
    [
        ([], ""),
        (["package-0"], "CPU package"),
        (["package-0", "package-1"], "CPU packages"),
        (["psys"], "whole machine"),
        (["package-0", "dram", "NVIDIA H200"], "CPU package, memory and GPU (NVIDIA H200)"),
        (["package-0", "NVIDIA A", "NVIDIA B"], "CPU package and GPUs (NVIDIA A, NVIDIA B)"),
        (["NVIDIA H200"], "GPU (NVIDIA H200) without the CPU"),
    ],
)
def test_what_was_measured_is_named(counters: list[str], words: str) -> None:
    assert energy.measured_of(counters) == words


def test_energy_is_shown_with_what_it_was_measured_of() -> None:
    assert energy.consumption({"energy_joules": 5400.0, "energy_of": ["psys"]}) == "1.50 Wh (5,400 J), of whole machine"
    assert energy.consumption({"energy_joules": 5400.0}) == "1.50 Wh (5,400 J)"
    assert energy.consumption({"energy_joules": None, "energy_of": []}) == energy.consumption({}) == "not measured"
