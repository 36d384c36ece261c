import contextlib
import io
import platform
from pathlib import Path

import pytest

from lstm_lm.io import extras, machine
from lstm_lm.ui import training_messages


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The GPU of a machine on x86-64 whose driver is there, with a file for it in a fake /dev."""
    monkeypatch.delenv(machine.VISIBLE, raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    monkeypatch.setattr(machine, "DEVICES", tmp_path / "dev")
    information = tmp_path / "proc/0000:01:00.0/information"
    information.parent.mkdir(parents=True)
    information.write_text("Model: NVIDIA H200\n")
    return machine.gpus(tmp_path / "proc")


def test_a_machine_without_gpus_prints_nothing_about_them(capsys: pytest.CaptureFixture[str]) -> None:
    training_messages.show_gpus([], [])
    assert capsys.readouterr().out == ""


def test_the_gpu_that_computes_is_named(gpus: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    training_messages.show_gpus(gpus, ["NVIDIA H200"])
    training_messages.show_gpus(gpus, ["NVIDIA H200", "NVIDIA A"])
    assert capsys.readouterr().out == "training on the GPU, NVIDIA H200\ntraining on the first of 2 GPUs, NVIDIA H200\n"


@pytest.mark.parametrize(
    ("architecture", "device", "package", "reason"),
    [
        ("aarch64", "nvidia0", "numpy", "its package for aarch64 has no CUDA; on x86-64 it has"),
        ("x86_64", "nvidiactl", "numpy", "this process may not open it; a container needs an option such as docker run --gpus all"),
        ("x86_64", "nvidia0", "nvidia-nothing", "NVIDIA's libraries are not installed; add them with: make setup EXTRAS=cuda"),
        (
            "x86_64",
            "nvidia0",
            "numpy",
            "its driver may be too old; to see what TensorFlow reports: "
            f"{extras.python()} -c 'import tensorflow as tf; print(tf.config.list_physical_devices(\"GPU\"))'",
        ),
    ],
)
def test_a_gpu_that_cannot_be_used_is_reported_in_one_line(
    gpus: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: str, device: str, package: str, reason: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: architecture)
    (tmp_path / "dev/nvidia0").rename(tmp_path / "dev" / device)
    monkeypatch.setattr(extras, "CUDA_PACKAGE", package)
    line = f"training on the CPU, as TensorFlow cannot use the GPU NVIDIA H200: {reason}\n"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        training_messages.show_gpus(gpus, [])
    assert printed.getvalue() == line
