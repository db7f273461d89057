"""The step of a hook: a command of the party at a fixed point of a run. Told in docs/how-to/add-a-config.md."""

from __future__ import annotations

from pathlib import Path

from e2e.lifecycle.acts import RunHost
from e2e.lifecycle.child import Command, require_program
from e2e.lifecycle.run import CLUSTER, MARK, Run, Tools
from providers.contracts import Deadline
from upload.errors import ProviderError

FOLDER = "hooks"  # below the artifacts


def has_hook(tools: Tools, *, name: str) -> bool:
    """Say whether the party has a command for this point."""
    return name in tools.job.hooks.given


def run_hook(run: Run, deadline: Deadline, *, name: str, cut_at: int) -> None:
    """Run the command of a hook. Raises: UsageError without its program, ProviderError when it fails; why it was stopped."""
    hook, env = run.tools.job.hooks.given[name], environment(run, name)
    require_program(hook.command, env, key=f"hooks.{name}.command")
    ended = RunHost(run, deadline, cut_at=cut_at).run(Command(hook.command, env, Path.cwd()))
    run.recorder.keep_tail(ended.output_tail)
    if ended.stopped is not None:
        raise ended.stopped
    if ended.code:
        how = f"was killed by signal {-ended.code}" if ended.code < 0 else f"ended with code {ended.code}"
        raise ProviderError(f"hooks.{name}: {hook.command[0]} {how}", hint="its output is in build-log.txt")


def environment(run: Run, name: str) -> dict[str, str]:
    """Return a hook's environment: ours, the run's facts, and the cluster's once it is up.

    ``ARTIFACTS`` is a folder that is published; ``E2E_RESULT`` what the run has come to so far.
    """
    folder = run.artifacts / FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    variables = {
        **run.tools.settings.child_variables(),
        MARK: str(run.folder.path),
        "ARTIFACTS": str(folder),
        "E2E_HOOK": name,
        "E2E_RUN": run.state.run,
        "E2E_KUBERNETES": run.state.tested_version,
        "E2E_RESULT": run.outcome.value.result or "FAILURE",
    }
    cluster = run.folder.read_cluster(CLUSTER)
    if cluster is None:
        return variables
    path = variables.get("PATH", "")
    kubectl = {"PATH": f"{cluster.kubectl.parent}:{path}"} if cluster.kubectl else {}
    return {**variables, "KUBECONFIG": str(cluster.kubeconfig), "E2E_KUBERNETES": cluster.version, **kubectl}
