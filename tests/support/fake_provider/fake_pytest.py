"""Takes pytest's place: reads its options and behaves as ``--e2e-focus`` says. Starts in 20 ms; see fake_plugins.FakeTester."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

PASSING, FAILING, HANGING = (f"[sig-fake] {name} should be done" for name in ("Passing", "Failing", "Hanging"))


def option(name: str) -> str:
    for word in sys.argv:
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return sys.argv[sys.argv.index(name) + 1]


def tell(**event: object) -> None:
    with open(option("--e2e-events"), "a") as file:  # noqa: PTH123  # pathlib costs as much as the rest
        file.write(json.dumps(event) + "\n")


def end(name: str, status: str, text: str = "") -> None:
    tell(event="started", name=name, at_s=time.time())
    tell(event="finished", name=name, status=status, seconds=0.5, text=text)


def write_junit(*failed: str) -> None:
    cases = [f'<testcase classname="c" name="{PASSING}" time="0.5"/>']
    cases += [
        f'<testcase classname="c" name="{name}" time="0.5"><failure>broken</failure></testcase>' for name in failed
    ]
    with open(option("--junitxml"), "w") as file:  # noqa: PTH123  # see tell
        file.write(f'<testsuites><testsuite name="s">{"".join(cases)}</testsuite></testsuites>')


def main() -> int:
    behaviour = os.environ.get("FAKE_BEHAVIOUR") or option("--e2e-focus")  # the one that the next build of a job has
    if option("-m").endswith("and serial") or behaviour == "nothing":
        print("nothing to do")
        return 5
    print(f"behaving: {behaviour}", flush=True)
    if behaviour == "usage":
        print("ERROR: what is this?")
        return 4
    tell(event="collected", total=1 + (behaviour in ("fail", "hang", "stubborn")))
    end(PASSING, "passed")
    if behaviour == "fail":
        end(FAILING, "failed", "it is broken")
        write_junit(FAILING)
        return 1
    if behaviour == "broken":
        tell(event="problem", name="test_broken.py", text="SyntaxError")
        write_junit("[suite] test_broken.py should be collected")
        return 1
    if behaviour == "leftover":
        tell(event="leftover", kind="ClusterRole", name="left")
    if behaviour == "internal":
        print("INTERNALERROR> oh no")
        return 3
    if behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour in ("hang", "stubborn"):
        hang(stubborn=behaviour == "stubborn")
        write_junit()
        return 2
    write_junit()
    return 0


def hang(*, stubborn: bool) -> None:
    if stubborn:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell(event="started", name=HANGING, at_s=time.time())
    try:
        time.sleep(900)
    except KeyboardInterrupt:
        print("interrupted")


if __name__ == "__main__":
    sys.exit(main())
