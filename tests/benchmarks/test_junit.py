"""What reading and rewriting JUnit costs, against parsers that only parse."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

READ_AT_MOST = 5.0  # of xml.etree, which is C all the way and checks, names and decodes nothing
WHOLE_AT_MOST = 10.0  # of parsers that write nothing, hold everything, and group nothing
MEMORY_AT_MOST = 0.1

_FRAME = """
import json, re, sys, time
from pathlib import Path
def peak_bytes():  # getrusage would tell that of the process which started this one
    return int(re.search("VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
path = Path(sys.argv[1])
{imports}
before_bytes = peak_bytes()
start = time.process_time()
{work}
spent_s = time.process_time() - start
print(json.dumps([count, spent_s, peak_bytes(), before_bytes]))
"""

_PROGRAMS = {
    "read": (
        "from upload.junit import iter_junit",
        "count = sum(1 for _ in iter_junit(path, name='junit.xml'))",
    ),
    "whole": (
        "from upload.artifacts import collect_artifacts\nfrom upload.censor import Censor",
        "count = collect_artifacts(path.parent, censor=Censor(), out=Path(sys.argv[2])).ending.cases",
    ),
    "junitparser": (
        "import junitparser",
        "count = sum(1 for suite in junitparser.JUnitXml.fromfile(str(path)) for case in suite)",
    ),
    "xml.etree": (
        "from xml.etree import ElementTree",
        "count = sum(1 for _ in ElementTree.parse(path).iter('testcase'))",
    ),
}


def write_report(path: Path, count: int) -> None:
    """Write what a large suite leaves: most pass, some are skipped, two in a hundred fail with a text."""
    suite = 'classname="Kubernetes e2e suite"'
    with path.open("w") as out:
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites><testsuite name="Kubernetes e2e suite">\n')
        for n in range(count):
            name = f"[sig-node] Pods number {n} should be submitted and removed [NodeConformance] [Conformance]"
            out.write(f'<testcase name="{name}" {suite} status="passed" time="{n % 997 / 31:.6f}">')
            if n % 50 == 0:
                out.write(
                    f'<failure message="timed out" type="Failed">expected 1, got 2\nat &lt;line&gt; {n}</failure>'
                )
            elif n % 50 < 10:
                out.write('<skipped message="not now"/>')
            out.write("</testcase>\n")
        out.write("</testsuite></testsuites>\n")


def measured(contender: str, report: Path, count: int) -> tuple[float, int]:
    """Return the CPU seconds and the peak memory in bytes of one contender, in a process of its own."""
    imports, work = _PROGRAMS[contender]
    with tempfile.TemporaryDirectory() as out:
        argv = [sys.executable, "-c", _FRAME.format(imports=imports, work=work), str(report), f"{out}/spool"]
        done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=1_800, check=True)
    counted, spent_s, peak_bytes, before_bytes = json.loads(done.stdout)
    print(
        f"{contender}: {counted / spent_s:,.0f} cases/s, {peak_bytes / 1e6:,.0f} MB ({before_bytes / 1e6:,.0f} before it began)"
    )
    assert counted == count
    return spent_s, peak_bytes


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.timeout(3_600)
def test_junit_against_parsers(record_ratio, request: pytest.FixtureRequest) -> None:  # type: ignore[no-untyped-def]
    count = request.config.getoption("--junit-cases")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        write_report(report, count)
        (read_s, read_bytes), (whole_s, whole_bytes), *peers = (measured(name, report, count) for name in _PROGRAMS)

    for peer, (peer_s, peer_bytes) in zip(("junitparser", "xml.etree"), peers, strict=True):
        record_ratio(f"read / {peer}", [(read_s, peer_s)], READ_AT_MOST)
        record_ratio(f"read, rewrite and copy / {peer}", [(whole_s, peer_s)], WHOLE_AT_MOST)
        memory = [(read_bytes / 1e6, peer_bytes / 1e6)]
        record_ratio(f"memory to read / {peer}", memory, MEMORY_AT_MOST, unit="MB")
        memory = [(whole_bytes / 1e6, peer_bytes / 1e6)]
        record_ratio(f"memory to read, rewrite and copy / {peer}", memory, MEMORY_AT_MOST, unit="MB")
