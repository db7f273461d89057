"""The Jenkins jobs that a party has once, however many configs it has: clean-up, and the feed with its alerts."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from jobs.definition import (
    Definition,
    bindings,
    config_text,
    credential_kinds,
    links_html,
    links_text,
    recipients,
    shell,
)
from jobs.tool import EXTRAS, FEED, requirements
from providers.config import JobConfig

CLEANUP: Final = "e2e-cleanup"
FEEDS: Final = "e2e-feed"
ABOUT: Final = {
    CLEANUP: "Removes what expired at providers and on agents, and finishes builds whose agent was lost.",
    FEEDS: "Reads the party's buckets, makes the site, and tells of jobs that fail or went silent.",
}
OFTEN: Final = "H * * * *"
CLEANUP_MINUTES: Final = 120
FEED_MINUTES: Final = 55  # the next one comes in an hour
WEBHOOK: Final = ("E2E_WEBHOOK_URL", "E2E_WEBHOOK_TOKEN")


def party_definitions(configs: Sequence[JobConfig], marking: Collection[str]) -> Iterator[Definition]:
    """Yield the jobs of each party: a clean-up job for each set of agents and credentials, and a feed job.

    ``marking``: the providers that find what they made by its mark, from any machine.
    """
    for party, of_party in groupby(sorted(configs, key=lambda each: (each.party, each.job)), key=lambda c: c.party):
        mine = list(of_party)
        groups: dict[str, list[JobConfig]] = {}
        for config in mine:
            where = (config.jenkins.label, sorted(config.jenkins.credentials.items()))
            groups.setdefault(json.dumps(where), []).append(config)
        for number, group in enumerate(groups.values(), 1):
            yield _cleanup(f"{party}-e2e-cleanup" + (f"-{number}" if number > 1 else ""), group, marking)
        if public := [config for config in mine if config.results.is_public]:
            yield _feed(f"{party}-e2e-feed", public)


def _cleanup(name: str, configs: Sequence[JobConfig], marking: Collection[str]) -> Definition:
    providers = sorted({config.provider.name for config in configs}.intersection(marking))
    settings = {"E2E_PROVIDERS": " ".join(providers)}
    settings |= {f"E2E_CONFIG_{number}": config_text(config) for number, config in enumerate(configs, 1)}
    return _definition(name, CLEANUP, configs, settings, {*providers} & EXTRAS)


def _feed(name: str, configs: Sequence[JobConfig]) -> Definition:
    buckets: dict[str, dict[str, Any]] = {}
    stale: dict[int, list[str]] = {}
    for config in configs:
        entry = {"contact": config.contact.github, "prefix": config.bucket_prefix, "sequential": False}
        buckets.setdefault(config.results.root, entry)
        stale.setdefault(config.dashboard.stale_hours, []).append(re.escape(f"{config.bucket_prefix}{config.job}"))
    settings = {
        "E2E_BUCKETS": json.dumps(buckets, indent=1),
        "E2E_ALERTS": "\n".join(f"{hours} ^({'|'.join(jobs)})$" for hours, jobs in sorted(stale.items())),
    }
    return _definition(name, FEEDS, configs, settings, {FEED})


def _definition(
    name: str, template: str, configs: Sequence[JobConfig], settings: Mapping[str, str], extras: set[str]
) -> Definition:
    first = configs[0]
    feeds = template == FEEDS
    credentials = {
        variable: identity
        for config in configs
        for variable, identity in config.jenkins.credentials.items()
        if not feeds or variable in WEBHOOK
    }
    links = {"site": first.dashboard.site} if first.dashboard.site else {}
    packages = () if feeds else {package for config in configs for package in config.jenkins.packages}
    install = {"E2E_REQUIREMENTS": requirements(extras, packages), "E2E_LINKS": links_text(links)}
    return Definition(
        name,
        template,
        {
            "about": " ".join(part for part in (ABOUT[template], links_html(links)) if part),
            "label": first.jenkins.label,
            "keep_days": first.jenkins.keep_days,
            "minutes": FEED_MINUTES if feeds else CLEANUP_MINUTES,
            "triggers": [{"timed": OFTEN}],
            "scm": [],
            "credentials": bindings(credentials),
            "install": shell(install),
            "settings": shell(settings),
            "finish": shell({"E2E_CREDENTIALS": credential_kinds(credentials)}),
            "recipients": recipients(first),
            "links": links_text(links),
            "links_html": links_html(links),
        },
    )
