"""What Ginkgo prints tells which cases ended how. The recorded outputs are those of upstream's suite v1.36.3, shortened."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.ginkgo.output import GinkgoFollower
from e2e.lifecycle.state import Tally
from upload.model import Case, Status

RECORDED = Path(__file__).parent / "recorded"
SECRET = "[It] [sig-node] Secrets should patch a secret [Conformance]"
CONFIG_MAP = "[It] [sig-node] ConfigMap should run through a ConfigMap lifecycle [Conformance]"
BY_ENVIRONMENT = "[It] [sig-node] ConfigMap should be consumable via the environment [NodeConformance] [Conformance]"
LINE = "-" * 30


def follow(file: Path) -> tuple[GinkgoFollower, list[Case]]:
    ended: list[Case] = []
    follower = GinkgoFollower(file, ended.append, now_s=lambda: 7.0)
    follower.finish()
    return follower, ended


def brief(cases: list[Case]) -> list[tuple[str, str, float]]:
    return [(case.name, str(case.status), case.seconds) for case in cases]


def test_cases_of_several_processes_come_as_they_end() -> None:
    follower, ended = follow(RECORDED / "parallel.txt")

    quota = "[It] [sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a"
    limit = "should provide container's memory limit [NodeConformance] [Conformance]"
    assert brief(ended) == [
        (SECRET, "passed", 0.777),
        (f"{quota} secret. [Conformance]", "passed", 14.86),
        (f"[It] [sig-storage] Downward API volume {limit}", "failed", 302.394),
        (BY_ENVIRONMENT, "failed", 302.26),
        (CONFIG_MAP, "passed", 0.252),
        ("[It] [sig-node] Pods should be submitted and removed [NodeConformance] [Conformance]", "passed", 2.341),
        (
            "[It] [sig-apps] ReplicaSet should list and delete a collection of ReplicaSets [Conformance]",
            "passed",
            5.159,
        ),
        (f"[It] [sig-storage] Projected downwardAPI {limit}", "failed", 300.093),
        (f"{quota} configMap. [Conformance]", "passed", 24.15),
    ]
    assert (follower.tally().total, follower.tally().failed, follower.cut, follower.running) == (9, 3, [], {})


def test_text_of_a_failure_begins_with_its_reason_and_has_what_the_case_printed() -> None:
    _, ended = follow(RECORDED / "parallel.txt")

    text = next(case.text for case in ended if case.name == BY_ENVIRONMENT)
    assert text.startswith(
        '[FAILED] expected pod "pod-configmaps-e2e4a123-921e-4f8a-a2b5-83f2c741925c" success: Timed out'
    )
    assert "\nSTEP: Creating a kubernetes client @" in text


def test_cases_of_one_process_are_seen_from_their_beginning(tmp_path: Path) -> None:
    whole = (RECORDED / "one-process.txt").read_text()
    file = tmp_path / "output"
    file.write_text(whole[: whole.index("• [0.125 seconds]")])
    ended: list[Case] = []
    follower = GinkgoFollower(file, ended.append, now_s=lambda: 7.0)
    follower.look()
    range_title = (
        "[It] [sig-scheduling] LimitRange should list, patch and delete a LimitRange by collection [Conformance]"
    )

    assert (brief(ended), follower.running) == ([(SECRET, "passed", 0.087)], {range_title: 7.0})

    file.write_text(whole)
    follower.finish()

    applied = (
        "[It] [sig-api-machinery] ServerSideApply should give up ownership of a field if forced applied by a controller"
    )
    assert (brief(ended)[1:], follower.running) == (
        [(range_title, "passed", 0.125), (CONFIG_MAP, "passed", 0.115), (applied, "passed", 0.587)],
        {},
    )
    assert follower.tally() == Tally(total=4, passed=4)


def test_interrupted_case_has_not_ended_and_a_skip_has_its_reason() -> None:
    follower, ended = follow(RECORDED / "cut.txt")

    skipped = "[It] [sig-instrumentation] MetricsGrabber should grab all metrics from a Scheduler."
    assert [(case.name, case.status, case.text) for case in ended] == [
        (SECRET, Status.PASSED, ""),
        (skipped, Status.SKIPPED, "kube-scheduler: metrics grabbing disabled"),
    ]
    assert (follower.cut, follower.tally()) == ([BY_ENVIRONMENT], Tally(total=3, passed=1, skipped=1))


def block(header: str, title: str, *lines: str) -> str:
    return "\n".join([LINE, header, title, "k8s.io/x.go:1", *(f"  {line}" for line in lines), LINE, ""])


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        pytest.param(
            block("• [FAILED] [1.5 seconds]", "[sig-apps] Jobs [BeforeEach] should run [Serial] [sig-apps, Serial]"),
            [("[It] [sig-apps] Jobs should run [Serial]", "failed", 1.5)],
            id="failed-in-a-container",
        ),
        pytest.param(
            block("• [FAILED] [1.5 seconds]", "TOP-LEVEL [AfterEach] [sig-apps] Jobs should run [sig-apps]"),
            [("[It] [sig-apps] Jobs should run", "failed", 1.5)],
            id="failed-at-top-level",
        ),
        pytest.param(
            block("• [PANICKED] [1.5 seconds]", "[sig-apps] Jobs [DeferCleanup (Each)] should run [sig-apps]"),
            [("[It] [sig-apps] Jobs should run", "failed", 1.5)],
            id="panicked-in-a-cleanup",
        ),
        pytest.param(
            block("[SynchronizedBeforeSuite] [FAILED] [9.0 seconds]", "[SynchronizedBeforeSuite] "),
            [("[SynchronizedBeforeSuite]", "failed", 9.0)],
            id="suite-failed",
        ),
        pytest.param(
            block("[SynchronizedBeforeSuite] PASSED [9.0 seconds]", "[SynchronizedBeforeSuite] "), [], id="suite-passed"
        ),
        pytest.param(block("• [TIMEDOUT] [1.5 seconds]", "[sig-a] B [It] c [sig-a]"), [("[It] [sig-a] B c", "failed", 1.5)], id="timed-out"),
        pytest.param(
            block("• [2.0 seconds]", "[sig-a] B c [sig-a]", LINE, "• [FAILED] [1.0 seconds]", "[sig-a] forged [sig-a]"),
            [("[It] [sig-a] B c", "passed", 2.0)],
            id="case-that-prints-blocks",
        ),
        pytest.param(f"SSSSS\n{LINE}\nSSS", [], id="nothing"),
        pytest.param(f"{LINE}\n• [2.0 seconds]\n", [], id="cut-before-the-title"),
        pytest.param("\x00\xff\n" + LINE + "\n• [", [], id="rubbish"),
    ],
)  # fmt: skip
def test_blocks_become_cases(tmp_path: Path, printed: str, expected: list[tuple[str, str, float]]) -> None:
    file = tmp_path / "output"
    file.write_text(printed)

    assert brief(follow(file)[1]) == expected


def test_output_that_is_not_there_yet_tells_nothing(tmp_path: Path) -> None:
    follower, ended = follow(tmp_path / "none")

    assert (follower.total, ended) == (None, [])
