"""The Jenkins jobs of configs: for each its nightly or soak job and one for pull requests, and what its party has once."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from jobs.definition import (
    MARGIN_S,
    Definition,
    bindings,
    config_text,
    credential_kinds,
    links_html,
    links_of,
    links_text,
    recipients,
    shell,
)
from jobs.party import party_definitions
from jobs.tool import EXTRAS, requirements
from providers.config import JobConfig, LoadedJob
from upload.errors import UsageError

TEMPLATES: Final = "templates.yaml"
HEADER: Final = "# Made by `e2e jobs render`: made again whenever the config changes.\n"
CONFIGS: Final = ("providers", "configs")  # where a repository has them
FINISH_MARGIN_S: Final = 120
KEPT_KUBECONFIG: Final = "kept.kubeconfig"
CLUSTER_SCOPED: Final = ("cluster_scoped", "preempts", "node_ssh")  # a cluster of our own: what a soak may touch


def definitions(jobs: Sequence[LoadedJob], *, is_all: bool, marking: Collection[str] = ()) -> tuple[Definition, ...]:
    """Return the Jenkins jobs, by name. Those of a party, which need all its configs, are made if these are all.

    ``marking``: the providers that find what they made by its mark, from any machine.
    Raises: UsageError when two have one name.
    """
    made = [each for job in jobs for each in _of_config(job)]
    made += party_definitions([job.config for job in jobs], marking) if is_all else ()
    for name, count in Counter(each.name for each in made).items():
        if count > 1:
            raise UsageError(f"two Jenkins jobs would be named {name}", hint="rename the config's job")
    return tuple(sorted(made, key=lambda each: each.name))


def documents(made: Iterable[Definition]) -> dict[str, bytes]:
    """Return file name → content: the templates, and a project for each Jenkins job."""
    found = {TEMPLATES: (files("jobs") / TEMPLATES).read_bytes()}
    for each in made:
        text = yaml.dump([each.project()], Dumper=_Readable, sort_keys=False, allow_unicode=False, width=1000)
        found[f"{each.name}.yaml"] = (HEADER + text).encode("ascii")
    return found


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as lines."""


def _lines(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _lines)


def _of_config(job: LoadedJob) -> Iterator[Definition]:
    config = job.config
    soaks = config.suite.preset == "soak" and config.provider.name != "existing"
    settings = {"E2E_CONFIG": config_text(config)}
    if soaks:
        settings = {"E2E_JOB": config.job, "E2E_CLUSTER_CONFIG": config_text(config)}
        settings["E2E_CONFIG"] = config_text(_against_kept(config))
    yield Definition(config.job, "e2e-soak" if soaks else "e2e-nightly", _values(config, settings))
    if config.provider.name == "local" and config.jenkins.repository and job.path.parent.parts[-2:] == CONFIGS:
        yield _pull(config, "/".join((*CONFIGS, job.path.name)))


def _against_kept(config: JobConfig) -> JobConfig:
    """Return the config of a build that uses the cluster which an earlier one brought up."""
    plain = config.to_json()
    plain["provider"] = {"name": "existing", "kubeconfig": KEPT_KUBECONFIG, "allow": list(CLUSTER_SCOPED)}
    plain["cluster"] = {**plain["cluster"], "kubelet_version": None, "upgrade_to": None}
    plain["kubernetes"] = "pinned"
    return JobConfig.from_json(plain)


def _values(config: JobConfig, settings: Mapping[str, str]) -> dict[str, Any]:
    jenkins, times = config.jenkins, config.defaults.timeouts
    links = links_of(config)
    install = {
        "E2E_REQUIREMENTS": requirements({config.provider.name} & EXTRAS, jenkins.packages),
        "E2E_LINKS": links_text(links),
    }
    finish = {
        "E2E_JOB": config.job,
        "E2E_CREDENTIALS": credential_kinds(jenkins.credentials),
        "E2E_FINISH_S": _finish_s(config),
    }
    about = " ".join(
        part for part in (html.escape(config.description), links_html(links), f"Contact: {_contact(config)}") if part
    )
    return {
        "about": about,
        "label": jenkins.label,
        "keep_days": jenkins.keep_days,
        "minutes": -(-(times.total_s + MARGIN_S) // 60),
        "triggers": [{"timed": config.schedule}] if config.schedule else [],
        "scm": [_checkout(jenkins.repository, f"*/{jenkins.branch}")] if jenkins.repository else [],
        "credentials": bindings(jenkins.credentials),
        "install": shell(install),
        "settings": shell(settings),
        "finish": shell(finish),
        "recipients": recipients(config),
        "links": links_text(links),
        "links_html": links_html(links),
    }


def _pull(config: JobConfig, file: str) -> Definition:
    """Return the job that runs a config as a pull request has it: on agents of its own, with no credential."""
    repository = config.jenkins.repository or ""
    values = _values(config, {"E2E_FILE": file})
    finish = {"E2E_JOB": config.job, "E2E_CREDENTIALS": "", "E2E_FINISH_S": _finish_s(config)}
    install = {"E2E_REQUIREMENTS": requirements((), ()), "E2E_LINKS": links_text({})}
    checkout = _checkout(repository, "${sha1}", refspec="+refs/pull/*:refs/remotes/origin/pr/*")
    trigger = {"permit-all": False, "github-hooks": True, "cron": "H/5 * * * *", "status-context": config.job}
    values |= {
        "about": f"{html.escape(file)} as a pull request has it, without any credential.",
        "label": config.jenkins.pull_label,
        "triggers": [{"github-pull-request": trigger}],
        "scm": [checkout],
        "credentials": [],
        "install": shell(install),
        "finish": shell(finish),
        "links_html": "",
        "repository": repository,
    }
    return Definition(f"pull-{config.job}", "e2e-pull", values)


def _finish_s(config: JobConfig) -> str:
    times = config.defaults.timeouts
    return str(times.dump_s + times.down_s + times.publish_s + FINISH_MARGIN_S)


def _checkout(repository: str, branch: str, refspec: str = "") -> dict[str, Any]:
    git: dict[str, Any] = {"url": f"https://github.com/{repository}.git", "branches": [branch], "shallow-clone": True}
    return {"git": {**git, "refspec": refspec} if refspec else git}


def _contact(config: JobConfig) -> str:
    return html.escape(f"{config.contact.github}, {config.contact.email}")


def write(found: Mapping[str, bytes], out: Path) -> Iterator[tuple[str, str]]:
    """Write files into a folder; yield each name with what happened to it. Nothing else in the folder is touched.

    Raises: UsageError when one cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            path = out / name
            old = path.read_bytes() if path.is_file() else None
            if old != content:
                path.write_bytes(content)
            yield name, "as it was" if old == content else "new" if old is None else "changed"
    except OSError as error:
        raise UsageError(f"{error.filename or out}: cannot be written: {error.strerror}") from error
