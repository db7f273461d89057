"""Failures to clusters: equal once normalised, else at most ten percent of edits apart.

Deterministic: the oldest failure names its cluster, and the limit on the work is counted, not timed. What bounds it: a
text is compared with the cluster of its shape (the text without its numbers), then with few clusters that share rare
words with it; and each bucket has a budget of comparisons, past which its texts join only clusters of an equal text.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

from dashboard_feed.clusters.normalize import cluster_id, common_spans, normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_feed.clusters.failures import Failure

MOST_COMPARED = 8
SAMPLE = 24
"""Words of a text by which candidates are found: those with the smallest checksums, so that alike texts share them."""
LONGEST_LIST = 48
"""Clusters that are looked up by one word; a word of more is common and finds nothing."""
BUDGET = 4_000_000_000
"""Edits times characters that the comparisons of one bucket may come to, about twenty seconds."""
ALLOWED = 0.10
SPAN_TEXTS = 10

_WORD = re.compile(r"[^\W\d_]{3,}")
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Failures that say the same. ``key``: normalised text of the first; ``failures``: never empty, oldest first."""

    key: str
    failures: tuple[Failure, ...]

    @property
    def id(self) -> str:
        """Triage's id of it: the same as long as its key is."""
        return cluster_id(self.key)

    @property
    def text(self) -> str:
        """The text of its first failure, as it was."""
        return self.failures[0].text

    @property
    def spans(self) -> list[int]:
        """Which parts of the text all have in common, by a sample of them (``common_spans``)."""
        texts = list(dict.fromkeys(failure.text for failure in self.failures))
        return common_spans(texts[:SPAN_TEXTS])


@dataclass(slots=True)
class _Index:
    """Clusters found so far, by key, by shape and by the words of their samples. ``spent``: of each bucket's budget."""

    failures: dict[str, list[Failure]] = field(default_factory=dict)
    by_shape: dict[str, str] = field(default_factory=dict)
    by_word: dict[str, list[str]] = field(default_factory=dict)
    spent: Counter[str] = field(default_factory=Counter)

    def home(self, text: str, bucket: str) -> str:
        """Return the key of the cluster that a normalised text belongs to; a text of a new kind founds one."""
        shape = _NUMBER.sub("0", text)
        same = self.by_shape.get(shape)
        if same is not None and self._is_near(text, same, bucket):
            return same
        sample = _sample(shape)
        found = next((key for key in self._candidates(sample) if self._is_near(text, key, bucket)), None)
        if found is None:
            found = text
            self.failures[text] = []
            for word in sample:
                keys = self.by_word.setdefault(word, [])
                if len(keys) <= LONGEST_LIST:
                    keys.append(text)
        self.by_shape.setdefault(shape, found)
        return found

    def _candidates(self, sample: Sequence[str]) -> list[str]:
        lists = [keys for word in sample if 0 < len(keys := self.by_word.get(word, [])) <= LONGEST_LIST]
        shared = Counter(chain.from_iterable(lists))
        return [key for key, _ in sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:MOST_COMPARED]]

    def _is_near(self, text: str, key: str, bucket: str) -> bool:
        """Tell whether fewer than ten percent of edits make one of the other, as triage asks."""
        from rapidfuzz.distance import Levenshtein

        limit = int((len(text) + len(key)) / 2 * ALLOWED) - 1
        if limit < 1 or abs(len(text) - len(key)) > limit or self.spent[bucket] > BUDGET:
            return False
        self.spent[bucket] += len(text) * limit
        return Levenshtein.distance(text, key, score_cutoff=limit) <= limit


def make_clusters(failures: Sequence[Failure]) -> tuple[Cluster, ...]:
    """Return the clusters of failures given oldest first, the largest first."""
    index = _Index()
    homes: dict[str, str] = {}  # a text, as it was or normalised -> the key of its cluster
    for failure in failures:
        key = homes.get(failure.text)
        if key is None:
            text = normalize(failure.text)
            key = homes.get(text) or index.home(text, failure.origin.job.spec.uri)
            homes[failure.text] = homes[text] = key
        index.failures[key].append(failure)
    clusters = [Cluster(key, tuple(many)) for key, many in index.failures.items()]
    return tuple(sorted(clusters, key=lambda cluster: (-len(cluster.failures), cluster.key)))


def _sample(shape: str) -> list[str]:
    """Return the words of a shape with the smallest checksums; Python's own hash differs from run to run."""
    words = dict.fromkeys(_WORD.findall(shape))
    return sorted(words, key=lambda word: (crc32(word.encode("utf-8", "replace")), word))[:SAMPLE]
