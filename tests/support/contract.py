"""Every statement of the readers' contract about what we write, and the rules that check it. Source: consumers.md 1-2."""

from __future__ import annotations

CONTRACT: tuple[tuple[str, tuple[str, ...]], ...] = (
    # section 1: the tree
    (
        "a build has `started.json` and, once it has ended, `finished.json`; without it readers skip the build, and TestGrid fails it after 24 hours",
        ("started.missing", "finished.missing", "finished.late", "started.json"),
    ),
    (
        "the names of prefix, job and objects can be addressed by every reader",
        ("prefix.name", "job.name", "object.name"),
    ),
    ("test-history lists only jobs with `ci-kubernetes` and the like in their names", ("job.listed",)),
    ("`jobResultsCache.json` lists the builds, newest last", ("cache.json", "cache.entry", "cache.order")),
    (
        "`latest-build.txt` names the newest finished build, is plain text and is never cached",
        ("latest.text", "latest.unfinished", "latest.behind", "latest.headers"),
    ),
    (
        "a pull request's build has an alias whose text and metadata `link` are its address: Gubernator follows the one, TestGrid the other",
        ("alias.missing", "alias.link"),
    ),
    ("`timestamp` is a JSON integer", ("started.timestamp", "finished.timestamp")),
    ("`finished.json` is whole JSON with a `timestamp`", ("finished.json", "finished.timestamp")),
    ("`passed` and `result` are both written, and agree", ("finished.verdict",)),
    (
        "`metadata` and `repos` are flat objects of strings, other keys strings",
        ("finished.metadata", "started.repos", "started.text", "finished.text"),
    ),
    ("`started.version` is there", ("started.version",)),
    ("build ids are integers of one width below 2^53", ("build.id", "build.width")),
    ("the bucket is readable and listable by everybody", ("bucket.read", "bucket.list", "object.unreadable")),
    # section 2: JUnit
    (
        "the root is one `<testsuite tests= failures= time=>` without `name`",
        ("junit.root", "junit.suite-name", "junit.counts"),
    ),
    ("its only children are `<testcase>`, each with a name", ("junit.children", "junit.properties", "junit.case-name")),
    ("`time` is always there, a plain decimal", ("junit.time",)),
    ("`<failure>`, never `<error>`", ("junit.error",)),
    ("a skip is an empty `<skipped/>`", ("junit.skipped",)),
    ("names have no control characters, and are ASCII for the pages of 2017", ("junit.control", "junit.ascii")),
    ("a file is whole XML, not empty, without a document type", ("junit.xml", "junit.empty", "junit.dtd")),
    ("every reader finds the files: `artifacts/junit_NN.xml`", ("junit.name", "junit.none")),
    ("a file has at most 100,000,000 bytes", ("junit.size",)),
)
