"""Which of the collected tests run: titles, focus and skip, and what the cluster offers and allows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.plugin.markers import TITLE_FLAGS, reason_to_skip
from e2e.plugin.needs import NEEDS, stash_needs
from e2e.plugin.options import RunOptions
from e2e.plugin.titles import NoTitle, case_title, clashes

TITLE = pytest.StashKey[str]()


class Selection:
    """Gives each item its title and deselects or skips what is not to run."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Name all items and read their needs, report where that cannot be done, then select."""
        problems = [*_name_all(items), *stash_needs(items)]
        ambiguous = clashes({item.nodeid: item.stash[TITLE] for item in items if TITLE in item.stash})
        for problem in (*problems, *ambiguous.values()):
            _report(session, problem)
        # xdist runs what was collected in spite of errors, and one title must not have two results
        items[:] = [
            item for item in items if NEEDS in item.stash and item.stash.get(TITLE, None) not in (None, *ambiguous)
        ]
        dropped = [item for item in items if not self._wanted(item.stash[TITLE])]
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            items[:] = [item for item in items if self._wanted(item.stash[TITLE])]
        for item in items:
            self._skip_where_impossible(item)
        # those that take long first: begun last, they would be waited for alone
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
        items[:] = _dealt(items, getattr(config, "workerinput", {}).get("workercount", 1))

    def _wanted(self, title: str) -> bool:
        focus, skip, only = self._options.focus, self._options.skip, self._options.only
        return (
            (focus is None or focus.search(title) is not None)
            and (skip is None or skip.search(title) is None)
            and (only is None or title in only)
        )

    def _skip_where_impossible(self, item: pytest.Item) -> None:
        reason = reason_to_skip(
            self._options.cluster,
            markers=(mark.name for mark in item.iter_markers()),
            required=(feature for mark in item.iter_markers("requires") for feature in mark.args),
        )
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def _dealt(items: list[pytest.Item], hands: int) -> list[pytest.Item]:
    """Order the items such that each of xdist's workers gets every n-th of them.

    ``worksteal`` cuts the list into one stretch for each worker, shorter ones first: the first items, which are the
    slow ones, would all go to one.
    """
    return [item for hand in reversed(range(hands)) for item in items[hand::hands]]


def _name_all(items: list[pytest.Item]) -> Iterator[str]:
    """Put a title on each item; yield what is wrong with the others."""
    for item in items:
        try:
            title = title_of(item)
        except NoTitle as error:
            yield f"{item.nodeid} has no title: {error}"
            continue
        item.stash[TITLE] = title
        path, line, _ = item.reportinfo()
        # The third part is the name in every report, so the title travels from xdist's workers to the controller.
        item.reportinfo = lambda where=(path, line, title): where  # type: ignore[method-assign, misc]


def title_of(item: pytest.Item) -> str:
    """Return the title of a collected test. Raises NoTitle."""
    sig = item.get_closest_marker("sig")
    names = {mark.name for mark in item.iter_markers()}
    callspec = getattr(item, "callspec", None)
    return case_title(
        sig=str(sig.args[0]) if sig and sig.args else "",
        docstring=getattr(getattr(item, "obj", None), "__doc__", None) or "",
        param_id=callspec.id if callspec else "",
        flags=[flag for flag in TITLE_FLAGS if flag in names],
    )


def _report(session: pytest.Session, problem: str) -> None:
    """Report a collection error. Under xdist it reaches the controller like a file that does not import."""
    node_id = problem.split("::", 1)[0]
    report = pytest.CollectReport(nodeid=node_id, outcome="failed", longrepr=problem, result=[])
    session.config.hook.pytest_collectreport(report=report)
