from __future__ import annotations

import base64
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from providers import kwok, process
from providers.api import Api, ApiRefused
from providers.contracts import Binaries, ClusterSpec, Context, Deadline, Provider
from providers.kwok import Home, free_ports
from providers.local import LocalProvider, LocalSettings
from providers.testing import FolderBinaries, ProviderContract, RecordedSteps, make_context
from tests.support.cluster import Running, running_cluster
from upload.errors import ProviderError, StepError

ROOT = Path(__file__).parents[3]
COOKIES = ("JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE", "HUDSON_SERVER_COOKIE", "BUILD_ID", "BUILD_NUMBER")
NOBODY = 64999
SPEC = ClusterSpec(nodes=1)


def home(context: Context) -> Home:
    return Home(context.folder.resolve(), context.cluster)


def settings(component: str, **values: Any) -> LocalSettings:
    return LocalSettings.model_validate({"components": {component: values}})


@pytest.fixture
def context(tmp_path: Path, binaries: Binaries) -> Iterator[Context]:
    """Return a fresh context; whatever its cluster left is removed after the test."""
    made = make_context(tmp_path / "c1", binaries)
    yield made
    process.end(home(made).mark, deadline=Deadline.after(20, "cleaning up"))


@pytest.fixture
def provider() -> Provider:
    return LocalProvider(LocalSettings())


@pytest.fixture(scope="session")
def programs(binaries: Binaries) -> Iterator[FolderBinaries]:
    """Return all programs in one folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="e2e-programs-"))
    folder.chmod(0o755)
    for name in kwok.NEEDED:
        shutil.copy(binaries.get(name, deadline=Deadline.after(600, "programs")), folder / name)
        (folder / name).chmod(0o755)
    yield FolderBinaries(folder, binaries.version)
    shutil.rmtree(folder)


class TestLocalProvider(ProviderContract):
    """The contract of every provider."""


@pytest.fixture(scope="module")
def in_hostile_surroundings(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a cluster that was started among variables which must not reach it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in COOKIES:
            patch.setenv(name, "dontKillMe")
        patch.setenv("KWOK_WORKDIR", "/nonexistent")
        patch.setenv("KWOK_KUBE_APISERVER_PORT", "1")
        patch.setenv("KUBECONFIG", "/nonexistent")
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        with running_cluster(tmp_path_factory.mktemp("hostile") / "c1", binaries) as running:
            yield running


def components(running: Running) -> dict[str, psutil.Process]:
    """Return component -> its living process."""
    folder = home(running.context).cluster / "pids"
    return {path.stem: psutil.Process(int(path.read_text())) for path in folder.iterdir()}


def test_components_listen_on_the_loopback_address_only(in_hostile_surroundings: Running) -> None:
    listening = {
        name: {
            c.laddr.ip
            for c in each.net_connections("inet")
            if c.status == psutil.CONN_LISTEN or c.type == socket.SOCK_DGRAM
        }
        for name, each in components(in_hostile_surroundings).items()
    }

    assert listening == {name: {"127.0.0.1"} for name in kwok.PROGRAMS}


def test_components_have_their_own_sessions_and_a_clean_environment(in_hostile_surroundings: Running) -> None:
    started = components(in_hostile_surroundings)
    expected = home(in_hostile_surroundings.context).environment()

    expected["PWD"] = str(home(in_hostile_surroundings.context).cluster)  # set by kwokctl
    assert {name: each.environ() for name, each in started.items()} == dict.fromkeys(kwok.PROGRAMS, expected)
    assert os.getsid(0) not in {os.getsid(each.pid) for each in started.values()}


def test_every_process_carries_the_mark_and_nothing_else_does(in_hostile_surroundings: Running) -> None:
    marked = process.marked(home(in_hostile_surroundings.context).mark)

    assert {each.pid for each in marked} == {each.pid for each in components(in_hostile_surroundings).values()}


def test_nothing_is_readable_by_others(in_hostile_surroundings: Running) -> None:
    folder = in_hostile_surroundings.context.folder
    cache = folder / "home"  # kubectl sets the modes of its cache itself; the folder is closed
    ours = [path for path in folder.rglob("*") if not path.is_symlink() and cache not in path.parents]
    shared = [path for path in ours if path.stat().st_mode & 0o077]

    assert shared == []


def test_facts_of_the_cluster_are_true(local_cluster: Running, binaries: Binaries) -> None:
    cluster = local_cluster.cluster
    with Api(cluster.kubeconfig) as api:
        nodes = api.get("/api/v1/nodes")["items"]

    assert cluster.version == binaries.version
    assert cluster.nodes == tuple(node["metadata"]["name"] for node in nodes) == ("c1-node-1", "c1-node-2", "c1-node-3")
    assert [node["spec"]["podCIDR"] for node in nodes] == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]
    assert all("taints" not in node["spec"] for node in nodes)
    assert cluster.features == LocalProvider.features


def test_the_pinned_kubectl_uses_the_kubeconfig_from_anywhere(local_cluster: Running, tmp_path: Path) -> None:
    cluster = local_cluster.cluster
    copy = shutil.copy(cluster.kubeconfig, tmp_path / "elsewhere")

    done = subprocess.run(
        [str(cluster.kubectl), "--kubeconfig", str(copy), "get", "--raw", "/readyz"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"HOME": str(tmp_path)},
    )

    assert done.stdout == "ok"


def test_the_administrators_key_is_a_secret_of_the_run(local_cluster: Running, tmp_path: Path) -> None:
    secrets: list[str] = []
    context = local_cluster.context
    again = make_context(context.folder, context.binaries, secrets=secrets)

    local_cluster.provider.up(ClusterSpec(nodes=3), again)

    key = json.loads(local_cluster.cluster.kubeconfig.read_text())["users"][0]["user"]["client-key-data"]
    assert secrets == [key, base64.b64decode(key).decode()]


def test_permissions_are_enforced(local_cluster: Running) -> None:
    cluster = local_cluster.cluster
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": "jane", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "default"}},
    }
    with Api(cluster.kubeconfig) as api:
        answer = api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)

    assert answer["status"].get("allowed") is False


def test_certificate_requests_are_signed(local_cluster: Running, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=jane",
         "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "csr")],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    body = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "jane-"},
        "spec": {
            "request": base64.b64encode((tmp_path / "csr").read_bytes()).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    }
    with Api(local_cluster.cluster.kubeconfig) as api:
        request = api.post(path, body)
        mine = f"{path}/{request['metadata']['name']}"
        approval = {"type": "Approved", "status": "True", "reason": "Test", "message": "by the test"}
        api.put(f"{mine}/approval", {**request, "status": {"conditions": [approval]}})
        certificate = ""
        give_up = time.monotonic() + 30
        while not certificate and time.monotonic() < give_up:
            certificate = api.get(mine).get("status", {}).get("certificate", "")
            time.sleep(0.05)
        api.delete(mine)

    assert base64.b64decode(certificate).startswith(b"-----BEGIN CERTIFICATE-----")


def test_a_port_that_is_taken_meanwhile_costs_a_new_start(context: Context) -> None:
    steps = RecordedSteps()
    context = make_context(context.folder, context.binaries, steps=steps)
    with socket.socket() as taken:
        taken.bind((kwok.LOOPBACK, 0))
        taken.listen()
        choices = iter([(taken.getsockname()[1], *free_ports(kwok.PORTS_NEEDED - 1))])

        def choose(count: int) -> tuple[int, ...]:
            return next(choices, None) or free_ports(count)

        cluster = LocalProvider(LocalSettings(), choose_ports=choose).up(SPEC, context)

    assert cluster.nodes == ("c1-node-1",)
    assert steps.notes == ["etcd found its port taken; starting again with other ports"]
    LocalProvider(LocalSettings()).down(context)


def test_ports_that_are_always_taken_are_an_error_after_a_few_starts(context: Context) -> None:
    steps = RecordedSteps()
    context = make_context(context.folder, context.binaries, steps=steps)
    with socket.socket() as taken:
        taken.bind((kwok.LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        provider = LocalProvider(LocalSettings(), choose_ports=lambda count: (port, *free_ports(count - 1)))

        with pytest.raises(ProviderError, match="etcd found its port taken"):
            provider.up(SPEC, context)

    assert len(steps.notes) == 4
    assert len([name for name, _ in steps.steps if name == "Start control plane"]) == 5


@pytest.mark.parametrize(
    ("component", "flag"),
    [("kube-apiserver", "no-such-flag"), ("kube-controller-manager", "no-such-flag"), ("etcd", "no-such-flag")],
)
def test_a_component_that_dies_at_start_is_named_with_its_last_words(
    context: Context, component: str, flag: str
) -> None:
    provider = LocalProvider(settings(component, args={flag: "1"}))

    with pytest.raises(StepError) as caught:
        provider.up(SPEC, context)

    assert str(caught.value).startswith(f"Start control plane: {component} ended by itself: ")
    assert flag in caught.value.output_tail


def test_a_full_disk_is_an_error_that_says_so(context: Context, programs: FolderBinaries) -> None:
    """A limit on the size of files stands in for the disk: etcd cannot lay out its log of 64 MB."""
    limit = 8 * 1024 * 1024
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.bring_up", str(context.folder), str(programs.folder), programs.version],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "upload.errors.StepError: Start control plane: etcd ended by itself" in done.stderr
    assert "file too large" in (home(context).logs / "etcd.log").read_text()


def test_a_program_that_is_not_executable_is_an_error(
    context: Context, programs: FolderBinaries, tmp_path: Path
) -> None:
    for path in programs.folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "kwokctl").unlink()
    (tmp_path / "kwokctl").write_text("")

    with pytest.raises(ProviderError, match=r"kwokctl cannot be started: Permission denied"):
        LocalProvider(LocalSettings()).up(SPEC, make_context(context.folder, FolderBinaries(tmp_path, "v1.36.3")))


def killed_at(moment: str, context: Context, programs: FolderBinaries) -> None:
    """Run ``up`` in a process of its own and kill it once ``moment``, a path below the folder, is there."""
    argv = [
        sys.executable,
        "-m",
        "tests.support.bring_up",
        str(context.folder),
        str(programs.folder),
        programs.version,
    ]
    child = subprocess.Popen(argv, cwd=ROOT)
    give_up = time.monotonic() + 60
    while not (context.folder / moment).exists() and time.monotonic() < give_up:
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait(timeout=10)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("kwokctl.yaml", id="configured", marks=pytest.mark.full),
        pytest.param("kwok/clusters/c1/pids/etcd.pid", id="starting"),
        pytest.param("kubeconfig", id="furnishing", marks=pytest.mark.full),
    ],
)
def test_a_killed_up_is_continued_or_begun_again(
    moment: str, context: Context, provider: Provider, programs: FolderBinaries
) -> None:
    killed_at(moment, context, programs)

    cluster = provider.up(SPEC, context)

    assert cluster.nodes == ("c1-node-1",)
    assert len(process.marked(home(context).mark)) == len(kwok.PROGRAMS)
    provider.down(context)
    assert provider.leftovers(context) == ()


@pytest.mark.parametrize(
    "moment", ["kwokctl.log", "kwok/clusters/c1/pids/kube-apiserver.pid"], ids=["launching", "starting"]
)
def test_a_killed_up_is_taken_down(moment: str, context: Context, provider: Provider, programs: FolderBinaries) -> None:
    killed_at(moment, context, programs)

    left = {resource.kind for resource in provider.leftovers(context)}
    provider.down(context)

    assert "file" in left  # killed while launching, there may be no process yet
    assert (provider.leftovers(context), provider.is_up(context)) == ((), False)


def test_down_kills_nobody_who_only_has_a_pid_of_ours(context: Context, provider: Provider) -> None:
    provider.up(SPEC, context)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    for path in (home(context).cluster / "pids").iterdir():
        path.write_text(str(stranger.pid))

    provider.down(context)

    assert stranger.poll() is None
    assert provider.leftovers(context) == ()
    stranger.kill()
    stranger.wait(timeout=5)


def test_a_cluster_with_a_dead_component_is_begun_again(context: Context, provider: Provider) -> None:
    cluster = provider.up(SPEC, context)
    psutil.Process(int((home(context).cluster / "pids" / "kube-scheduler.pid").read_text())).kill()
    with Api(cluster.kubeconfig) as api:
        api.post("/api/v1/namespaces", {"metadata": {"name": "gone-with-the-old-one"}})

    again = provider.up(SPEC, context)

    with Api(again.kubeconfig) as api, pytest.raises(ApiRefused):
        api.get("/api/v1/namespaces/gone-with-the-old-one")
    provider.down(context)


def test_two_clusters_start_beside_each_other(tmp_path: Path, binaries: Binaries) -> None:
    contexts = [make_context(tmp_path / name, binaries) for name in ("one", "two")]
    provider = LocalProvider(LocalSettings())
    try:
        with ThreadPoolExecutor(2) as pool:
            clusters = list(pool.map(lambda context: provider.up(SPEC, context), contexts))
        provider.down(contexts[0])

        assert [provider.is_up(context) for context in contexts] == [False, True]
        assert clusters[0].kubeconfig != clusters[1].kubeconfig
    finally:
        for context in contexts:
            provider.down(context)


@pytest.mark.parametrize(
    ("component", "values"),
    [
        ("kube-scheduler", {"disabled": True}),
        ("kube-controller-manager", {"disabled": True}),
        (
            "kube-controller-manager",
            {"args": {"controllers": "*,-serviceaccount-controller,-node-lifecycle-controller"}},
        ),
    ],
    ids=["no scheduler", "no controllers", "no accounts and no node lifecycle"],
)
def test_a_cluster_with_something_switched_off_comes_up(
    component: str, values: dict[str, Any], context: Context
) -> None:
    provider = LocalProvider(settings(component, **values))

    provider.up(SPEC, context)

    running = {each.stem for each in (home(context).cluster / "pids").iterdir()}
    assert (component in running) is not values.get("disabled", False)
    assert provider.is_up(context)
    provider.down(context)


@pytest.mark.full
def test_a_slow_api_server_is_waited_for_also_by_the_impatient_components(
    context: Context, programs: FolderBinaries, tmp_path: Path
) -> None:
    """The controller manager gives the API server ten seconds, which a busy machine may not keep."""
    for path in programs.folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    slow = tmp_path / "kube-apiserver"
    slow.unlink()
    slow.write_text(
        f'#!/bin/sh\ncase "$1" in --version) ;; *) sleep 15;; esac\nexec {programs.folder}/kube-apiserver "$@"\n'
    )
    slow.chmod(0o755)

    provider = LocalProvider(LocalSettings())
    cluster = provider.up(SPEC, make_context(context.folder, FolderBinaries(tmp_path, programs.version)))

    assert cluster.nodes == ("c1-node-1",)
    provider.down(context)


def test_a_deadline_ends_the_wait_with_the_last_observation(
    context: Context, programs: FolderBinaries, tmp_path: Path
) -> None:
    for path in programs.folder.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "kube-apiserver").unlink()
    (tmp_path / "kube-apiserver").write_text(
        f'#!/bin/sh\ncase "$1" in --version) exec {programs.folder}/kube-apiserver "$@";; esac\nexec sleep 60\n'
    )
    (tmp_path / "kube-apiserver").chmod(0o755)
    hurried = make_context(context.folder, FolderBinaries(tmp_path, programs.version), seconds=6)

    with pytest.raises(
        StepError, match=r"the API server does not answer after 6 s; last: https://127\.0\.0\.1:\d+ does not"
    ):
        LocalProvider(LocalSettings()).up(SPEC, hurried)


@pytest.mark.skipif(os.getuid() != 0, reason="not root: every other test here shows that root is not needed")
def test_an_unprivileged_user_can_do_all_of_it(programs: FolderBinaries) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        context = make_context(Path(folder) / "c1", programs)
        os.chown(context.folder, NOBODY, NOBODY)
        provider = LocalProvider(LocalSettings())
        child = os.fork()
        if child == 0:
            _as_nobody(provider, context, Path(folder))
        _, status = os.waitpid(child, 0)

        assert (Path(folder) / "told").read_text() == "up, usable, down"
        assert os.waitstatus_to_exitcode(status) == 0


def _as_nobody(provider: LocalProvider, context: Context, folder: Path) -> None:
    """Do a cluster's life in a forked child, since nobody may not read the checkout; never return."""
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        cluster = provider.up(SPEC, context)
        provider.dump(context, folder / "dump")
        provider.down(context)
        told = "up, usable, down" if cluster.nodes and provider.leftovers(context) == () else "something is left"
        (folder / "told").write_text(told)
        os._exit(0)
    except BaseException as error:
        (folder / "told").write_text(repr(error))
    finally:
        os._exit(1)
