"""Prow's own code over a bucket: where it looks for builds, and what its lenses show of one."""

from __future__ import annotations

import html
import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.gcs import Bucket
from tests.support.gotools import prow_reader

RUN_S = 120
JUNIT = """{{define "body"}}{{range .Passed}}passed	{{template "case" .}}{{end}}{{range .Failed}}failed	{{template "case" .}}{{end}}\
{{range .Skipped}}skipped	{{template "case" .}}{{end}}{{range .Flaky}}flaky	{{template "case" .}}{{end}}{{end}}
{{define "case"}}{{(index .Junit 0).Name}}
{{end}}"""
METADATA = """{{define "body"}}{{.StartTime.Unix}}	{{.FinishedTime.Unix}}	{{.Finished}}	{{.Passed}}
{{range $key, $value := .Metadata}}{{$key}}	{{$value}}
{{end}}{{end}}"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the metadata lens shows. Times are UTC epochs."""

    started_s: int
    finished_s: int
    is_finished: bool
    passed: bool
    metadata: Mapping[str, str]


def paths(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return where prow puts a job: ``build``, ``alias``, ``root``, ``latest``. ``spec``: as in JOB_SPEC of its pods."""
    found: dict[str, Any] = json.loads(_run(["paths"], stdin=json.dumps(spec)))
    return found


def shown_tests(bucket: Bucket, folder: str, scratch: Path) -> dict[str, list[str]]:
    """Return what the JUnit lens makes of a build: passed, failed, skipped or flaky → names of tests."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in _lens("junit", JUNIT, bucket, folder, scratch):
        if line:
            kind, name = line.split("\t", 1)
            found[kind].append(name)
    return dict(found)


def shown_metadata(bucket: Bucket, folder: str, scratch: Path) -> Shown:
    """Return what the metadata lens makes of a build."""
    first, *rest = _lens("metadata", METADATA, bucket, folder, scratch)
    started, finished, is_finished, passed = first.split("\t")
    pairs = dict(line.split("\t", 1) for line in rest if line)
    return Shown(int(started), int(finished), is_finished == "true", passed == "true", pairs)


def _lens(name: str, template: str, bucket: Bucket, folder: str, scratch: Path) -> Sequence[str]:
    (scratch / "template.html").write_text(template)
    said = _run([name, str(scratch), f"{bucket.uri}/{folder}"], STORAGE_EMULATOR_HOST=bucket.endpoint)
    return [html.unescape(line) for line in said.splitlines()]


def _run(words: Sequence[str], stdin: str = "", **variables: str) -> str:
    argv = [str(prow_reader()), *words]
    done = subprocess.run(
        argv, input=stdin, env=os.environ | variables, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
