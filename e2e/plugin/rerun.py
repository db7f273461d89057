"""How a person runs one case again, as lines of text."""

from __future__ import annotations

import shlex

import pytest

from e2e.plugin.options import RunOptions
from e2e.plugin.selection import TITLE
from e2e.plugin.titles import focus_pattern


def how_to_run_again(item: pytest.Item, options: RunOptions) -> tuple[str, ...]:
    """Return where the case stands, what it ran on, and the commands that run it again."""
    title = item.stash[TITLE]
    focus = shlex.quote(focus_pattern([title]))
    job = shlex.quote(options.job)
    cluster = options.cluster
    lines = [
        f"test: {item.nodeid}",
        f"cites: {'; '.join(str(source) for mark in item.iter_markers('cite') for source in mark.args) or '-'}",
        f"cluster: {cluster.name}, Kubernetes {cluster.version}",
        f"run: {options.run}",
    ]
    if options.job:
        lines += [
            f"again: e2e run {job} --focus {focus}",
            f"while its cluster is up: e2e test {options.run} --focus {focus}",
        ]
    seed = random_seed(item.config)
    if seed is not None:
        lines.append(f"order: -p randomly -p randomly_seed={seed}")
    return tuple(lines)


def random_seed(config: pytest.Config) -> int | None:
    """Return pytest-randomly's seed, where that plugin is in use."""
    workerinput = getattr(config, "workerinput", {})
    seed = workerinput.get("randomly_seed", getattr(config.option, "randomly_seed", None))
    return seed if isinstance(seed, int) else None
