import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conftest import PROJECT, environment
from lstm_lm.io import memory

FAULTS = """
import resource, sys
from lstm_lm.io import memory
if sys.argv[1] == "keep":
    memory.keep_freed()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for i in range(30):
    bytearray(48 * 2**20)  # larger than the blocks that glibc reuses by default
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
def test_a_freed_large_block_is_reused_without_new_page_faults():
    def faults(mode):
        done = subprocess.run([sys.executable, "-c", FAULTS, mode], cwd="src", capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("keep") < faults("leave") / 10


HEAPS = """
import ctypes, sys, threading
from lstm_lm.io import memory
if sys.argv[1] == "limit":
    memory.limit_arenas(2)
libc, everybody = ctypes.CDLL(None), threading.Barrier(12)
libc.malloc.restype = ctypes.c_void_p
def work():
    libc.malloc(10_000)
    everybody.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
def test_threads_share_a_few_heaps():
    def heaps(mode):
        done = subprocess.run([sys.executable, "-c", HEAPS, mode], cwd="src", capture_output=True, text=True, check=True)
        return done.stdout.count("<heap ")

    assert heaps("limit") == 2
    assert heaps("leave") > 2


@pytest.mark.slow
def test_allocations_that_fail_are_one_line():
    import tensorflow as tf

    with pytest.raises(MemoryError) as numpy_error:
        np.zeros((60_000, 240_000, 10_000))
    with pytest.raises(tf.errors.ResourceExhaustedError) as tensorflow_error:
        tf.zeros([60_000, 240_000, 10_000])
    lines = [memory.out_of_memory_line(error.value) for error in (numpy_error, tensorflow_error)]
    assert lines[0].startswith("out of memory (for 1.02 PiB), ")
    assert lines[1].startswith("out of memory (for a tensor of shape [60000,240000,10000]), ")
    assert all(" GB are free: use a smaller model or smaller batches (model.hidden_size, " in line for line in lines)
    assert memory.out_of_memory_line(ValueError("out of memory")) is None
    assert memory.out_of_memory_line(tf.errors.InvalidArgumentError(None, None, "shapes differ")) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="macOS has no limit of the address space")
def test_a_limit_of_the_shell_counts_and_a_program_that_exceeds_it_ends_with_one_line(tmp_path):
    code = (
        "from lstm_lm.io import memory\nfrom lstm_lm.ui import program\n"
        "def main():\n    print(memory.available() < 2_048_000_000)\n    bytearray(3 * 10**9)\nprogram.run(main)"
    )
    command = ["bash", "-c", 'ulimit -v 2000000; exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(command, env=environment(PYTHONPATH=str(PROJECT / "src")), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "True\n")
    assert done.stderr.startswith("error: out of memory, ")
    assert done.stderr.count("\n") == 1


def write_cgroup(folder: Path, limit: str, used: int, cache: int = 0, names: tuple[str, str] = ("memory.max", "memory.current")) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in ((names[0], limit), (names[1], str(used)), ("memory.stat", f"anon 5\ninactive_file {cache}\n")):
        (folder / name).write_text(text + "\n")


def test_the_limits_of_containers_and_batch_systems_count(tmp_path):
    own = tmp_path / "cgroup"
    own.write_text("0::/slice/job\n")
    write_cgroup(tmp_path / "v2/slice/job", "max", 10)
    write_cgroup(tmp_path / "v2/slice", "1000", 600, cache=100)
    write_cgroup(tmp_path / "v2", "5000", 600)  # as a container sees its own
    assert sorted(memory._cgroup_room(tmp_path / "v2", own)) == [500, 4400]
    own.write_text("4:memory:/job\n3:cpu:/job\n")
    write_cgroup(tmp_path / "v1/memory/job", "700", 300, names=("memory.limit_in_bytes", "memory.usage_in_bytes"))
    assert list(memory._cgroup_room(tmp_path / "v1", own)) == [400]
    assert list(memory._cgroup_room(tmp_path, tmp_path / "missing")) == []
