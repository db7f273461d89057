"""A config made of a job of another tool, and what of that job has no counterpart. The result passes the checks of configs."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from jobs import kubetest2, runner2016
from jobs.source import Draft, without_user
from providers.config.load import Layers, load_file
from providers.config.problems import ConfigError, Problem
from providers.config.rules import job_name
from upload.errors import UsageError

UNNAMED: Final = "ci-kubernetes-e2e-imported"
MOST_ROUNDS: Final = 30  # each takes away at least one key
FALLBACK: Final = {"name": "local"}
DEFAULTS: Final = {"job": UNNAMED, "kubernetes": "release/stable", "provider": FALLBACK}


@dataclass(frozen=True, slots=True)
class Imported:
    """A config in the form of its file, and notes: what was said → why it is not in there."""

    values: Mapping[str, Any]
    notes: tuple[tuple[str, str], ...] = field(default=())

    def text(self) -> bytes:
        """Return the YAML file, with the notes as comments."""
        lines = ["# Made by `e2e jobs import`: read it, then run e2e check."]
        if self.notes:
            lines += ["# What has no counterpart:", *(f"#   {what}: {why}" for what, why in self.notes)]
        body = yaml.safe_dump(dict(self.values), sort_keys=False, allow_unicode=False, width=1000)
        return ("\n".join([*lines, ""]) + body).encode("ascii", errors="backslashreplace")


def import_job(text: str, *, search: tuple[Path, ...]) -> Imported:
    """Return the config that is meant by a kubetest2 command line, or else by the environment of e2e-runner.sh.

    ``search``: the folders with the ``party.yaml`` that the config is merged over.
    Raises: UsageError for text that is neither, and where ``party.yaml`` itself is wrong.
    """
    draft = kubetest2.read(text) or runner2016.read(text)
    if draft is None:
        raise UsageError("neither a kubetest2 command line nor E2E_UP=…, E2E_TEST=… and the like stand there")
    draft.values = {"job": _name(draft), **{key: value for key, value in draft.values.items() if key != "job"}}
    for _ in range(MOST_ROUNDS):
        draft.values = {**DEFAULTS, **draft.values}
        problems = _problems(draft.values, search)
        if not problems:
            return Imported(draft.values, tuple((_plain(what), _plain(why)) for what, why in draft.notes))
        for problem in problems:
            _take_away(draft, problem)
    raise UsageError("no config comes of it", hint="e2e check providers/configs/party.yaml")


def _name(draft: Draft) -> str:
    name = str(draft.values.get("job", ""))
    wanted = "".join(c if c in "abcdefghijklmnopqrstuvwxyz0123456789.-" else "-" for c in name.lower()).strip("-.")[:63]
    try:
        accepted = job_name(wanted)
    except ValueError:
        accepted = UNNAMED
    if name and accepted != name:
        draft.notes.append((f"job {name}", f"is named {accepted} here"))
    return accepted


def _problems(values: Mapping[str, Any], search: tuple[Path, ...]) -> tuple[Problem, ...]:
    with tempfile.TemporaryDirectory(prefix="e2e-import-") as scratch:
        path = Path(scratch) / "job.yaml"
        path.write_text(yaml.safe_dump(dict(values), allow_unicode=False), encoding="ascii")
        try:
            load_file(path, Layers(search))
        except ConfigError as error:
            mine = tuple(each for each in error.problems if each.place.file.endswith("job.yaml"))
            if not mine:
                raise UsageError(str(error), hint="e2e check") from error
            return mine
        return ()


def _take_away(draft: Draft, problem: Problem) -> None:
    """Remove the value that a problem is about, or the section around it where something is missing."""
    keys = problem.key.replace("[", ".").split(".")
    if keys[0] == "provider" or not problem.key:
        if draft.values.get("provider") != FALLBACK:
            draft.notes.append(("provider", f"{_plain(str(draft.values.get('provider')))}: {_why(problem)}"))
            draft.values["provider"] = dict(FALLBACK)
            return
        # what stays wrong with the plainest provider is the shape of the cluster
        draft.values.pop("cluster", None)
        return
    section: Any = draft.values
    for key in keys[:-1]:
        if not isinstance(section, dict) or key not in section:
            break
        if not isinstance(section[key], dict):
            keys = keys[: keys.index(key) + 1]
            break
        section = section[key]
    if isinstance(section, dict) and keys[-1] in section and keys[-1] != "job":
        gone = section.pop(keys[-1])
        draft.notes.append((f"{'.'.join(keys)} {gone}", _why(problem)))
    elif keys[0] in draft.values and keys[0] != "job":
        draft.notes.append((f"{keys[0]} {draft.values.pop(keys[0])}", _why(problem)))


def _why(problem: Problem) -> str:
    return problem.what + (f"; expected {problem.expected}" if problem.expected else "")


def _plain(text: str) -> str:
    """Return text that stays on its line, and is no longer than one."""
    return "".join(c if c.isprintable() else " " for c in without_user(text))[:300]
