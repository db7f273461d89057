"""The pytest plugin that turns test functions into end-to-end cases. Load it with ``-p e2e.plugin``.

It does nothing unless ``--e2e-cluster FILE`` is given: no fixture, no hook, no output. With it, a test gets a published
title, fixtures of the cluster, a namespace of its own, and leaves evidence when it fails (``e2e/suite/README.md``).
"""

from __future__ import annotations

import pytest

from e2e.plugin.options import RunOptions, add_options, read_options
from providers.markers import MARKERS

OPTIONS = pytest.StashKey[RunOptions]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ``--e2e-…`` options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers always (a suite must be listable without a cluster), the rest only for a cluster."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if config.getoption("e2e_cluster") is None:
        return

    from e2e.plugin.evidence import EvidenceKeeper
    from e2e.plugin.selection import Selection

    options = read_options(config)
    config.stash[OPTIONS] = options
    config.pluginmanager.import_plugin("e2e.plugin.fixtures")
    config.pluginmanager.register(Selection(options), "e2e-selection")
    config.pluginmanager.register(EvidenceKeeper(options), "e2e-evidence")
    if not hasattr(config, "workerinput"):  # the controller, or the only process
        from e2e.plugin.events import EventReporter
        from e2e.plugin.junit import TitledJUnit
        from e2e.plugin.leftovers import LeftoverCheck
        from e2e.plugin.needs import NeedsWriter

        config.pluginmanager.register(EventReporter(options.events), "e2e-events")
        config.pluginmanager.register(TitledJUnit(config), "e2e-junit")
        config.pluginmanager.register(LeftoverCheck(options), "e2e-leftovers")
        if options.needs is not None:
            config.pluginmanager.register(NeedsWriter(options.needs), "e2e-needs")
