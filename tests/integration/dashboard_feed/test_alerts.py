"""``e2e feed alerts`` over written buckets: what it prints, and what reaches a command and a web server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.federation import HOUR_S, JobPlan, bucket_spec, write_job
from tests.support.receiver import Receiver, received

KEEP = f"{sys.executable} -c 'import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())' "


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with received() as kept:
        yield kept


def write(root: Path, *plans: JobPlan, now_s: int) -> Path:
    shutil.rmtree(root / "party", ignore_errors=True)
    for plan in plans:
        write_job(root / "party", plan, seed=1, now_s=now_s, builds=4)
    spec = bucket_spec(root / "party", "party:", "who")
    (root / "buckets.yaml").write_text(f'{spec.uri}:\n  prefix: "party:"\n  contact: who\n  sequential: false\n')
    return root / "buckets.yaml"


def alerts(buckets: Path, *options: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "e2e", "feed", "alerts", str(buckets), *options]
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=buckets.parent,
        env={**os.environ, **(env or {})},
    )


RED = JobPlan("ci-red", "gce", broken={15: 2}, flake_rate=0)
GREEN = JobPlan("ci-red", "gce", flake_rate=0)
OLD = JobPlan("ci-old", "aws", newest_age_s=90 * HOUR_S, flake_rate=0)


@pytest.fixture
def now_s() -> int:
    import time

    return int(time.time())


def test_open_alerts_are_printed_by_job(tmp_path: Path, now_s: int) -> None:
    done = alerts(write(tmp_path, RED, OLD, now_s=now_s))

    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert lines[0] == "party:ci-old   ask who"
    assert lines[1].startswith("  stale    newest build: ")
    assert lines[2] == "party:ci-red   ask who"
    assert [line for line in lines if line.startswith("  failing")] == [
        "  failing  [sig-apps] Deployment should roll back to an earlier revision",
        "  failing  ci-red.Overall",
        "  failing  e2e.Test",
    ]
    assert lines[-1] == "4 open alerts"


def test_alerts_as_json_have_the_range_of_commits(tmp_path: Path, now_s: int) -> None:
    done = alerts(write(tmp_path, RED, now_s=now_s), "--format", "json", "--failures", "2")

    found = {alert["test"]: alert for alert in json.loads(done.stdout)["alerts"]}
    first = found["e2e.Test"]
    assert (first["failures"], first["first_bad"]["build"] < first["latest_bad"]["build"]) == (2, True)
    assert first["commits"] == f"{first['last_good']['commit']}..{first['first_bad']['commit']}"


def test_a_command_hears_once_what_opened_and_once_what_is_over(tmp_path: Path, now_s: int) -> None:
    buckets = write(tmp_path, RED, OLD, now_s=now_s)
    told = tmp_path / "told.json"
    options = ("--state", "state.json", "--send-to", f"{KEEP}'{told}'")

    first = alerts(buckets, *options)
    opened = json.loads(told.read_bytes())
    told.unlink()
    again = alerts(buckets, *options)
    repeated = told.exists()
    write(tmp_path, GREEN, OLD, now_s=now_s)
    last = alerts(buckets, *options)

    assert [run.stderr for run in (first, again, last)] == [
        "sent: 4 opened, 0 over\n",
        "sent: 0 opened, 0 over\n",
        "sent: 0 opened, 3 over\n",
    ]
    assert [alert["kind"] for alert in opened["opened"]] == ["stale", "failing", "failing", "failing"]
    assert not repeated
    assert len(json.loads(told.read_bytes())["closed"]) == 3
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_what_a_receiver_did_not_take_is_sent_again(tmp_path: Path, now_s: int, receiver: Receiver) -> None:
    buckets = write(tmp_path, RED, now_s=now_s)
    receiver.answers = [(404, {})]
    env = {"E2E_WEBHOOK_URL": receiver.url, "E2E_WEBHOOK_TOKEN": "secret-token"}
    refused = alerts(buckets, "--state", "state.json", env=env)
    there = (tmp_path / "state.json").exists()
    taken = alerts(buckets, "--state", "state.json", env=env)

    assert (refused.returncode, there, taken.returncode) == (4, False, 0)
    assert "the message was not taken: HTTP 404" in refused.stderr
    assert "secret" not in refused.stderr + refused.stdout
    assert receiver.got[0][1]["delivery"] == receiver.got[1][1]["delivery"]
    assert [headers["Authorization"] for headers, _ in receiver.got] == ["Bearer secret-token"] * 2


def test_a_busy_receiver_is_asked_again_and_a_redirect_is_not_followed(
    tmp_path: Path, now_s: int, receiver: Receiver
) -> None:
    buckets = write(tmp_path, RED, now_s=now_s)
    receiver.answers = [(503, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), (307, {"Location": receiver.url})]
    done = alerts(buckets, "--state", "state.json", "--webhook", receiver.url)

    assert (done.returncode, len(receiver.got)) == (4, 3)
    assert "the message was not taken: HTTP 307" in done.stderr


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("false", 4, "false ended with code 1"),
        ("no-such-command-here", 2, "no-such-command-here cannot be started"),
        ("'", 2, "is no command"),
    ],
)
def test_a_command_that_fails_changes_no_state(
    tmp_path: Path, now_s: int, command: str, code: int, message: str
) -> None:
    done = alerts(write(tmp_path, RED, now_s=now_s), "--state", "state.json", "--send-to", command)

    assert (done.returncode, message in done.stderr) == (code, True)
    assert not (tmp_path / "state.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--send-to", "cat"], "nobody remembers"),
        (["--state", "s"], "nothing is to be sent"),
        (["--state", "s", "--send-to", "cat", "--webhook", "https://x/"], "one too many"),
        (["--state", "no/such/folder", "--send-to", "cat"], "No such file or directory"),
        (["--state", "broken", "--send-to", "cat"], "is no state of sent alerts"),
    ],
    ids=["no state", "nobody to tell", "two", "no folder", "another file"],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, now_s: int, options: list[str], message: str) -> None:
    (tmp_path / "broken").write_text("{}")
    done = alerts(write(tmp_path, GREEN, now_s=now_s), *options)

    assert (done.returncode, message in done.stderr, done.stdout) == (2, True, "")
