"""A job is found, merged over its party, and everything wrong with it is said at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from providers.config import ConfigError, JobConfig, Place, default_search, job_names, load_job
from providers.config.resolved import resolved_values
from tests.support.plugins import PROVIDER, install_distribution
from upload.errors import UsageError

PARTY = """\
party: example
contact: {github: someone, email: team@example.com}
results: {store: "gs://example-e2e", prefix: logs}
bucket_prefix: "example:"
dashboard: {group: provider, name: provider-example}
defaults:
  timeouts: {up: 30m, total: 5h}
"""
JOB = """\
job: ci-x
kubernetes: pinned
provider: {name: local}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return ``configs`` in an empty working folder, with a party."""
    monkeypatch.chdir(tmp_path)
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "party.yaml").write_text(PARTY, encoding="utf-8")
    return configs


def problems(folder: Path, text: str, name: str = "x") -> list[str]:
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_job(name, search=[folder])
    assert caught.value.hint == f"e2e check configs/{name}.yaml"
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("provider", ["local", "existing"])
@pytest.mark.parametrize("key", ["kubelet_version", "upgrade_to"])
def test_version_that_a_provider_cannot_give_is_told_with_its_place(folder: Path, provider: str, key: str) -> None:
    text = JOB.replace("local", provider) + f"cluster: {{{key}: release/stable-1.30}}\n"

    (problem,) = problems(folder, text)

    assert problem.startswith(
        f"configs/x.yaml:4:{13 + len(key)}: cluster.{key}: found release/stable-1.30; expected absent"
    )
    assert f"provider {provider}" in problem


def test_job_lies_over_its_party_and_each_value_knows_its_line(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB + "defaults: {timeouts: {up: 10m}}\nresults: {prefix: mine}\n", encoding="utf-8")

    job = load_job("x", search=[folder])

    assert (job.config.party, job.config.results.store, job.config.results.prefix) == (
        "example",
        "gs://example-e2e",
        "mine",
    )
    assert (job.config.defaults.timeouts.up_s, job.config.defaults.timeouts.total_s) == (600, 18000)
    assert job.path == folder / "x.yaml"
    assert job.origins["results.prefix"] == Place("configs/x.yaml", 5, 19)
    assert job.origins["results.store"] == Place("configs/party.yaml", 3, 18)
    assert "suite.workers" not in job.origins
    assert JobConfig.from_json(job.to_json()) == job.config


@pytest.mark.parametrize("name", ["local", "local-full", "local-skew"])
def test_shipped_config_is_valid_and_needs_no_account(name: str) -> None:
    job = load_job(name, search=default_search())

    assert (job.config.job, job.config.provider.name) == (f"ci-kubernetes-e2e-{name}", "local")
    assert job.config.results.store == "_results/bucket"
    assert load_job(job.config.job, search=default_search()).path == job.path


def test_everything_wrong_is_said_at_once_with_its_place(folder: Path) -> None:
    found = problems(
        folder,
        "job: Bad\nkubernetes: 1.36\nkubernets: v1.36.3\n"
        "provider:\n  name: local\n  component: {}\n"
        "cluster: {nodes: '3', pod_cidr: 10.244.0.1/16}\n"
        "suite: {preset: nigthly, tester: pytset}\n"
        "suite: {workers: 1}\n"
        "on: x\n",
    )

    keys = "job, description, kubernetes, provider, cluster, suite, schedule, party, contact, results, bucket_prefix, dashboard, defaults, jenkins, hooks, notify"
    assert found == [
        "configs/x.yaml:1:6: job: found 'Bad'; expected 3 to 63 of a-z, 0-9, '.' and '-', beginning with a letter or digit",
        "configs/x.yaml:2:13: kubernetes: found the number 1.36; expected text (in quotes if it looks like a number)",
        f"configs/x.yaml:3:1: kubernets: unknown key; expected one of {keys} (did you mean 'kubernetes'?)",
        "configs/x.yaml:6:3: provider.component: unknown key; expected one of components (did you mean 'components'?)",
        "configs/x.yaml:7:18: cluster.nodes: found the text '3'; expected a whole number",
        (
            "configs/x.yaml:7:33: cluster.pod_cidr: found '10.244.0.1/16'; expected a network in its plain form,"
            " with all host bits zero (did you mean '10.244.0.0/16'?)"
        ),
        (
            "configs/x.yaml:8:17: suite.preset: found 'nigthly'; expected 'gating', 'conformance', 'nightly' or 'soak'"
            " (did you mean 'nightly'?)"
        ),
        "configs/x.yaml:8:34: suite.tester: found 'pytset'; expected an installed tester: command, e2e.test, pytest (did you mean 'pytest'?)",
        "configs/x.yaml:9:1: suite: given twice, first in line 8; expected it once",
        "configs/x.yaml:10:1: the key on is not text; expected quotes around it",
    ]


def test_rule_between_fields_points_at_the_value_that_must_change(folder: Path) -> None:
    assert problems(folder, JOB + "defaults: {timeouts: {total: 1h}}\ncluster: {pod_cidr: 10.96.0.0/12}\n") == [
        "configs/x.yaml:4:30: defaults.timeouts.total: found '1h'; expected at least 4h10m, the sum of the other timeouts",
        "configs/x.yaml:5:10: cluster.service_cidr: found '10.96.0.0/16'; expected a network apart from pod_cidr 10.96.0.0/12",
    ]


def test_fault_of_the_party_is_placed_in_the_party(folder: Path) -> None:
    (folder / "party.yaml").write_text(PARTY + "partie: x\nbucket_prefix: x\n", encoding="utf-8")

    first, second = problems(folder, JOB)

    assert first.startswith("configs/party.yaml:8:1: partie: unknown key; expected one of job,")
    assert second == "configs/party.yaml:9:1: bucket_prefix: given twice, first in line 4; expected it once"


def test_job_without_a_party_is_told_what_is_missing(folder: Path) -> None:
    (folder / "party.yaml").unlink()

    found = problems(folder, "job: ci-x\ndashboard: {tab: abc}\nprovider: {name: local}\n")

    assert found == [
        "configs/x.yaml:1:1: bucket_prefix: missing; expected what stands before the party's jobs in test-history, ends in ':'",
        "configs/x.yaml:1:1: contact: missing; expected whom to ask about the results",
        (
            "configs/x.yaml:1:1: kubernetes: missing, and the provider makes the cluster; expected vX.Y.Z,"
            " release/stable[-X.Y], ci/latest[-X.Y], pinned, file://DIR, https://DIR or source:DIR"
        ),
        "configs/x.yaml:1:1: party: missing; expected short name of whoever runs the tests",
        "configs/x.yaml:1:1: results: missing; expected where builds are published",
        "configs/x.yaml:2:1: dashboard.group: missing; expected TestGrid dashboard group",
        "configs/x.yaml:2:1: dashboard.name: missing; expected TestGrid dashboard: <group>-<something>",
    ]


def test_settings_are_checked_by_the_provider_they_are_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = install_distribution(
        tmp_path / "site",
        "acme",
        group="federated_e2e.providers",
        entries={"acme": "acme_config:Provider"},
        modules={"acme_config": PROVIDER},
    )
    monkeypatch.syspath_prepend(str(site))

    found = problems(
        folder,
        "job: ci-x\nkubernetes: pinned\ncluster: {control_planes: 3}\n"
        "provider:\n  name: acme\n  size: 0\n  tags: {a: {color: red}}\n",
    )

    assert found == [
        "configs/x.yaml:4:1: provider.region: missing; expected where it stands",
        "configs/x.yaml:6:9: provider.size: found the number 0; expected a number of at least 1",
        "configs/x.yaml:7:14: provider.tags.a.color: unknown key; expected one of colour (did you mean 'colour'?)",
    ]
    assert problems(folder, JOB.replace("local", "acme, region: x") + "cluster: {control_planes: 3}\n") == [
        "configs/x.yaml:4:27: cluster.control_planes: found 3; expected 1"
    ]
    assert problems(folder, JOB.replace("local", "acm")) == [
        (
            "configs/x.yaml:3:18: provider.name: found 'acm'; expected an installed provider: acme, azure, existing, gce, local, ubuntu"
            " (did you mean 'acme'?)"
        )
    ]


def test_broken_plugin_is_a_problem_of_the_jobs_that_name_it_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = "federated_e2e.providers"
    site = install_distribution(tmp_path / "site", "acme", group=group, entries={"acme": "acme_no:P"}, modules={})
    monkeypatch.syspath_prepend(str(site))
    (folder / "good.yaml").write_text(JOB, encoding="utf-8")

    assert problems(folder, JOB.replace("local", "acme")) == [
        (
            "configs/x.yaml:3:18: provider.name: the plugin 'acme = acme_no:P' (federated_e2e.providers) of distribution acme"
            " 1.0 is broken: ModuleNotFoundError: No module named 'acme_no'; expected a provider that works"
        )
    ]
    assert load_job("good", search=[folder]).config.provider.name == "local"


def test_metacharacters_of_shell_and_html_stay_what_they_are(folder: Path) -> None:
    nasty = "$(touch pwned) `id` <script>alert(1)</script> '; rm -rf ~ #\"&&|"
    text = JOB + "description: >-\n  " + nasty + "\n"
    (folder / "x.yaml").write_text(text, encoding="utf-8")

    job = load_job("x", search=[folder])

    assert job.config.description == nasty
    assert sorted(path.name for path in folder.parent.iterdir()) == ["configs"]


@pytest.mark.parametrize("key", ["job", "kubernetes", "schedule", "party", "bucket_prefix", "provider.name"])
def test_metacharacters_are_refused_where_a_name_is_expected(folder: Path, key: str) -> None:
    nasty = "'$(touch pwned)\u202e<b>'"
    text = JOB.replace("{name: local}", f"{{name: {nasty}}}") if "." in key else f"{JOB}{key}: {nasty}\n"
    wanted = [line for line in text.splitlines() if not (line.startswith(f"{key}:") and nasty not in line)]

    (found,) = problems(folder, "\n".join(wanted))

    assert f": {key}: found '$(touch pwned)\\u202e<b>'; expected " in found


def test_file_reference_is_a_path_and_takes_the_party_beside_it(folder: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / "y.yml").write_text(JOB, encoding="utf-8")
    assert load_job("other/y.yml", search=[folder]).config.party == "example"

    (other / "party.yaml").write_text(PARTY.replace("example", "second"), encoding="utf-8")

    assert load_job("other/y.yml", search=[folder]).config.party == "second"
    assert load_job(str(other / "y.yml"), search=[]).config.bucket_prefix == "second:"


def test_job_is_found_by_stem_and_by_its_job_value(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB, encoding="utf-8")

    assert load_job("ci-x", search=[folder]).path == load_job("x", search=[folder]).path
    assert job_names([folder]) == ("ci-x", "x")


def test_ambiguous_job_names_every_file(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB, encoding="utf-8")
    (folder / "ci-x.yml").write_text(JOB.replace("ci-x", "other"), encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        load_job("ci-x", search=[folder])

    assert str(caught.value) == "'ci-x' is ambiguous: configs/ci-x.yml and configs/x.yaml"
    assert caught.value.hint == "give the path, configs/ci-x.yml"


def test_unknown_job_names_the_nearest_and_where_it_was_searched(folder: Path) -> None:
    (folder / "azure.yaml").write_text(JOB, encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        load_job("azur\x1b", search=[folder, Path("none")])

    assert str(caught.value) == r"unknown job 'azur\x1b', did you mean 'azure'? (searched configs, none)"
    with pytest.raises(UsageError, match=r"^there is no file './none.yaml'$"):
        load_job("./none.yaml", search=[folder])
    with pytest.raises(UsageError, match="unknown job 'party'"):
        load_job("party", search=[folder])


def test_link_out_of_the_search_folder_is_not_read(folder: Path) -> None:
    secret = folder.parent / "credentials"
    secret.write_text("job: hunter2-secret\n", encoding="utf-8")
    (folder / "x.yaml").symlink_to(secret)
    (folder / "inner.yaml").symlink_to("good.yaml")
    (folder / "good.yaml").write_text(JOB, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load_job("x", search=[folder])

    assert str(caught.value) == "configs/x.yaml: is a link that leads out of its folder; expected a regular file"
    assert load_job("inner", search=[folder]).config.job == "ci-x"
    assert job_names([folder]) == ("ci-x", "good", "inner", "x")


def test_search_takes_the_working_folder_first_and_each_folder_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = Path(__file__).parents[3] / "providers" / "configs"
    for name in ("providers/configs", "tests/support/configs", "tests/support/lab/configs"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    found = default_search()

    assert [os.path.relpath(path, tmp_path) for path in found[:3]] == [
        "providers/configs",
        "tests/support/configs",
        "tests/support/lab/configs",
    ]
    assert shipped in found[3:]
    assert len({path.resolve() for path in default_search(shipped.parents[1])}) == len(
        default_search(shipped.parents[1])
    )


def test_resolved_values_name_their_line_or_default(folder: Path) -> None:
    (folder / "x.yaml").write_text(JOB + 'description: "a\\tb <b>"\n'.replace("\\t", " "), encoding="utf-8")

    shown = {v.key: (v.text(), v.origin) for v in resolved_values(load_job("x", search=[folder]))}

    assert shown["description"] == ('"a b <b>"', "configs/x.yaml:4")
    assert shown["contact.email"] == ('"team@example.com"', "configs/party.yaml:2")
    assert shown["provider.name"] == ('"local"', "configs/x.yaml:3")
    assert shown["provider.components"] == ("{}", "default")
    assert shown["dashboard.tab"] == ('"ci-x"', "default")
    assert shown["defaults.timeouts.total"] == ('"5h"', "configs/party.yaml:7")
