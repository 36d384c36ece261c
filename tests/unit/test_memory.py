import subprocess
import sys

import pytest

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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
def test_a_freed_large_block_is_reused_without_new_page_faults():
    def faults(mode):
        done = subprocess.run([sys.executable, "-c", FAULTS, mode], cwd="src", capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("keep") < faults("leave") / 10
