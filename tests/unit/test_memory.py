import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from lstm_lm.io import memory
if sys.argv[1] == "keep":
    memory.keep_freed()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for i in range(100):
    bytearray(48 * 2**20)  # beyond what glibc keeps by itself
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_a_large_block_that_was_freed_is_not_faulted_in_again():
    def faults(way):
        done = subprocess.run([sys.executable, "-c", FAULTS, way], cwd="src", capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("keep") < faults("leave") / 10
