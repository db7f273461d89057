"""What changed since the last sending: a pure difference between what is open now and what was sent, and its texts.

The state is ``{"format": 1, "sent": {ID: ALERT}}``. A sending that fails leaves it as it was, so that the next one says
the same again; ``delivery`` is the same then, unless builds were added, and whoever receives it twice can tell.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed.alerts import AlertKind, Watched, as_json
from dashboard_feed.show import count, moment
from dashboard_feed.text import one_line
from upload.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dashboard_feed.alerts import Alert

FORMAT = 1
LARGEST_STATE_BYTES = 64 << 20
MOST_TOLD = 500
"""Alerts that one message spells out; it says how many more there are."""
TEXT_ALERTS = 20

Told = dict[str, object]
"""An alert as it was told: what ``as_json`` makes."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a sending says. ``sent`` is what will have been told once it arrived, by id."""

    opened: tuple[Told, ...]
    closed: tuple[Told, ...]
    sent: Mapping[str, Told]

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to say."""
        return not self.opened and not self.closed


def change_since(sent: Mapping[str, Told], watched: Watched) -> Change:
    """Return what opened and what closed. An alert of a job that was not read this time stays as it was sent."""
    now = {alert.id: as_json(alert) for alert in watched.alerts}
    opened = tuple(told for key, told in now.items() if key not in sent)
    closed = tuple(told for key, told in sent.items() if key not in now and told.get("job_id") in watched.job_ids)
    over = {told["id"] for told in closed}
    return Change(opened, closed, {key: told for key, told in {**sent, **now}.items() if key not in over})


def read_state(content: bytes | None, where: str) -> dict[str, Told]:
    """Return what was sent; None is a first sending. Raises UsageError for a file that is none of ours."""
    if content is None:
        return {}
    try:
        document = json.loads(content)
        sent = document["sent"] if document["format"] == FORMAT else None
    except (ValueError, KeyError, TypeError, RecursionError):
        sent = None
    if not isinstance(sent, dict) or not all(
        isinstance(told, dict) and told.get("id") == key for key, told in sent.items()
    ):
        raise UsageError(
            f"{where} is no state of sent alerts", hint="give another --state; everything open is sent again"
        )
    return sent


def render_state(sent: Mapping[str, Told]) -> bytes:
    """Return the state as the next sending reads it."""
    return json.dumps({"format": FORMAT, "sent": dict(sorted(sent.items()))}, indent=1).encode("ascii") + b"\n"


def render_message(change: Change) -> bytes:
    """Return the JSON document that is sent: ``text`` for people and chat services, ``opened`` and ``closed`` whole."""
    ids = [(told["id"], _build(told, "first_bad"), _build(told, "latest_bad")) for told in change.opened]
    over = [(told["id"], _build(told, "first_bad")) for told in change.closed]
    body: dict[str, object] = {
        "delivery": hashlib.sha256(json.dumps([ids, over]).encode("ascii")).hexdigest()[:16],
        "text": message_text(change),
        "opened": list(change.opened[:MOST_TOLD]),
        "closed": list(change.closed[:MOST_TOLD]),
        "more": max(0, len(change.opened) - MOST_TOLD) + max(0, len(change.closed) - MOST_TOLD),
    }
    return json.dumps(body).encode("ascii")


def message_text(change: Change) -> str:
    """Return a sending as a few lines for people."""
    lines = [f"{count(len(change.opened), 'new alert')}, {len(change.closed)} over"]
    lines += [f"open: {_line(told)}" for told in change.opened[:TEXT_ALERTS]]
    lines += [f"over: {_line(told)}" for told in change.closed[:TEXT_ALERTS]]
    hidden = max(0, len(change.opened) - TEXT_ALERTS) + max(0, len(change.closed) - TEXT_ALERTS)
    return "\n".join([*lines, *([f"and {hidden} more"] if hidden else [])])


def _build(told: Told, key: str) -> object:
    point = told.get(key)
    return point.get("build") if isinstance(point, dict) else None


def _line(told: Told) -> str:
    name = one_line(str(told.get("job", "")), 200)
    if told.get("kind") == AlertKind.STALE.value:
        return f"{name} is stale"
    commits = one_line(str(told.get("commits") or ""), 60)
    return f"{name}: {one_line(str(told.get('test', '')), 200)}" + (f" ({commits})" if commits else "")


def listing(alerts: Sequence[Alert]) -> list[str]:
    """Return all open alerts as lines for a terminal: a line a job, below it what fails."""
    lines: list[str] = []
    job = ""
    for alert in alerts:
        if alert.job_id != job:
            job = alert.job_id
            lines.append(one_line(alert.job, 200) + (f"   ask {one_line(alert.contact, 80)}" if alert.contact else ""))
        if alert.kind is AlertKind.STALE:
            newest = moment(alert.latest_bad.at_s) if alert.latest_bad else "none was found"
            lines.append(f"  stale    newest build: {newest}")
            continue
        first = alert.first_bad
        since = f"since build {one_line(first.build, 80)}, {moment(first.at_s)}" if first else ""
        commits = f", commits {one_line(alert.commits, 60)}" if alert.commits else ""
        lines.append(f"  failing  {one_line(alert.test, 200)}")
        lines.append(f"           {count(alert.failures, 'failure')} {since}{commits}")
        if alert.message:
            lines.append(f"           {one_line(alert.message, 160)}")
    return lines
