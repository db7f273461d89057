"""What checking many configs costs, against composing the same files and no more."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

PARTY = Path(__file__).parents[2] / "providers" / "configs" / "party.yaml"
CONFIGS = 1000
ROUNDS = 5
AT_MOST = 5.0  # of yaml.compose with the C loader
FLAT_BYTES = 2 << 20  # what nine times as many configs may take on top

_PROGRAM = """
import json, re, sys, time
from pathlib import Path
import yaml
from providers.config.review import review
def peak_bytes():
    return int(re.search("VmHWM:\\\\s+(\\\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
folder = Path(sys.argv[1])
files = sorted(folder.glob("ci-*.yaml"))
assert not review([str(path) for path in files[: len(files) // 10]], search=()).problems
before_bytes = peak_bytes()
pairs = []
for _ in range(int(sys.argv[2])):
    start = time.process_time()
    found = review((), search=(folder,))
    ours = time.process_time() - start
    start = time.process_time()
    for path in files:
        yaml.compose(path.read_bytes(), Loader=yaml.CSafeLoader)
    pairs.append((ours, time.process_time() - start))
assert (len(found.valid), found.problems) == (len(files), ())
print(json.dumps([pairs, peak_bytes() - before_bytes]))
"""

_JOB = """\
job: ci-kubernetes-e2e-made-{n:04}
description: Control plane tests on the machine that runs them, with hollow nodes
kubernetes: release/stable-1.36
provider:
  name: local
cluster:
  nodes: 3
suite:
  preset: nightly
  select: not slow
  workers: 8
schedule: "H {hour} * * *"
dashboard:
  tab: made-{n:04}
  stale_hours: 26
defaults:
  timeouts: {{up: 60m, test: 15m, dump: 2m, down: 2m, publish: 2m, total: 85m}}
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.timeout(600)
def test_check_against_compose(record_ratio: Callable[..., None]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "party.yaml").write_bytes(PARTY.read_bytes())
        for n in range(CONFIGS):
            (folder / f"ci-{n:04}.yaml").write_text(_JOB.format(n=n, hour=n % 24), encoding="utf-8")
        argv = [sys.executable, "-c", _PROGRAM, scratch, str(ROUNDS)]
        done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=500, check=True)
    pairs, grown_bytes = json.loads(done.stdout)

    record_ratio(f"check of {CONFIGS} configs / yaml.compose", pairs, AT_MOST)
    print(f"peak memory grew by {grown_bytes >> 10} KiB from {CONFIGS // 10} configs to {CONFIGS}")
    assert grown_bytes <= FLAT_BYTES
