"""jenkins-job-builder as a program: what it refuses, and how it is handed over to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jobs.builder import findings, to_xml, update
from tests.support.http_server import running
from upload.errors import ProviderError, UsageError

XML = b"<project><builders><hudson.tasks.Shell><command>%s</command></hudson.tasks.Shell></builders></project>"


def test_definition_that_is_refused_is_told() -> None:
    with pytest.raises(UsageError, match="jenkins-job-builder refuses a definition"):
        to_xml({"wrong.yaml": b"- project:\n    name: x\n    jobs: [no-such-template]\n"})


def test_shell_that_does_not_parse_is_a_finding() -> None:
    (found,) = findings("job", XML % b"if")

    assert found.startswith("job: step 1: bash: line ")


def test_job_without_a_step_is_a_finding() -> None:
    assert list(findings("job", b"<project/>")) == ["job: has no step"]


def test_update_without_a_file_of_settings_says_what_goes_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        update({}, tmp_path / "jenkins_jobs.ini", ())


def test_update_that_reaches_no_jenkins_is_an_error_of_the_provider(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "jenkins_jobs.ini"
    conf.write_text("[jenkins]\nurl=http://127.0.0.1:9/\nuser=u\npassword=p\n")  # the discard port: nobody listens

    with pytest.raises(ProviderError, match="jenkins-jobs update failed"):
        update({"a.yaml": b"- job:\n    name: a\n    project-type: freestyle\n"}, conf, ("a",))
    capfd.readouterr()


class Jenkins(ThreadingHTTPServer):
    """The few answers that jenkins-job-builder wants of a Jenkins without jobs; ``created``: name → XML."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.created: dict[str, bytes] = {}


class Answers(BaseHTTPRequestHandler):
    server: Jenkins

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name = parts.path.strip("/").split("/")[1] if parts.path.startswith("/job/") else ""
        if parts.path == "/api/json":
            jobs = [{"_class": "hudson.model.FreeStyleProject", "name": each} for each in self.server.created]
            self._answer(200, {"_class": "hudson.model.Hudson", "jobs": jobs})
        elif "pluginManager" in parts.path:
            self._answer(200, {"plugins": []})
        elif name in self.server.created:
            self._answer(200, {"name": name})
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.created[urlsplit(self.path).query.removeprefix("name=")] = body
        self._answer(200, {})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("X-Jenkins", "2.516")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Jenkins]:
    made = Jenkins()
    with running(made):
        yield made


def test_update_creates_the_named_jobs_in_the_jenkins_of_the_file(
    server: Jenkins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    conf = tmp_path / "jenkins_jobs.ini"
    conf.write_text(f"[jenkins]\nurl=http://127.0.0.1:{server.server_port}\nuser=u\npassword=p\n")
    rendered = {f"{name}.yaml": f"- job:\n    name: {name}\n".encode() for name in ("mine", "other")}

    update(rendered, conf, ("mine",))

    assert server.created == {"mine": to_xml({"mine.yaml": rendered["mine.yaml"]})["mine"]}
    capfd.readouterr()
