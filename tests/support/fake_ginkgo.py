"""A program that prints and writes what Ginkgo does. Run as ``fake_ginkgo.py FLAGS… e2e.test -- FLAGS…``.

What it does stands in ``FAKE_GINKGO``, JSON of a list, an entry for each run: ``{"cases": {title: "passed" | "failed" |
"skipped" | "hangs"}, "code": 0, "report": true}``. Each run appends its arguments to the file ``FAKE_GINKGO_CALLS``.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from xml.sax.saxutils import quoteattr

LINE = "-" * 30
HEADERS = {"passed": "•", "failed": "• [FAILED]", "skipped": "S [SKIPPED]"}
ELEMENTS = {
    "passed": "",
    "failed": '<failure type="failed">[FAILED] oh no</failure><system-err>what it printed</system-err>',
    "skipped": '<skipped message="skipped - not here"/>',
}


def main() -> int:
    calls = Path(os.environ["FAKE_GINKGO_CALLS"])
    number = len(calls.read_text().splitlines()) if calls.exists() else 0
    with calls.open("a") as file:
        file.write(json.dumps({"argv": sys.argv[1:], "kubeconfig": os.environ["KUBECONFIG"]}) + "\n")
    this = json.loads(os.environ["FAKE_GINKGO"])[number]
    cases = this["cases"]
    say(f"Running Suite: Kubernetes e2e suite - x\nWill run {len(cases)} of 7579 specs")
    for title, how in cases.items():
        if how == "hangs":
            time.sleep(600)
        labels = "[sig-x]"
        say(f"{LINE}\n{HEADERS[how]} [0.500 seconds]\n{title} {labels}\nk8s.io/x.go:1\n")
        if how == "failed":
            say("  Timeline >>\n  what it printed\n  << Timeline\n\n  [FAILED] oh no\n")
        say(LINE)
    if this.get("report", True):
        write_report(cases)
    return int(this.get("code", "failed" in cases.values()))


def say(text: str) -> None:
    print(text, flush=True)


def write_report(cases: dict[str, str]) -> None:
    (folder,) = (word.partition("=")[2] for word in sys.argv if word.startswith("--report-dir="))
    Path(folder).mkdir()
    parts = [
        f'<testcase name={quoteattr(f"[It] {title}")} time="0.5">{ELEMENTS[how]}</testcase>'
        for title, how in cases.items()
    ]
    parts.append('<testcase name="[It] [sig-x] other" time="0"><skipped message="skipped"/></testcase>')
    parts.append('<testcase name="[SynchronizedBeforeSuite]" time="0.1"></testcase>')
    whole = f'<testsuites><testsuite name="Kubernetes e2e suite"><properties/>{"".join(parts)}</testsuite></testsuites>'
    (Path(folder) / "junit_01.xml").write_text(whole)


if __name__ == "__main__":
    sys.exit(main())
