"""Near-duplicates as groups: images that folds and splits are to keep together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from manyheads.data.columns import Categorical
from manyheads.data.dataset import Dataset
from manyheads.findings.similar import SimilarImages
from manyheads.stats.clusters import Clusters


def joined_groups(dataset: Dataset, clusters: Iterable[Sequence[int]]) -> Categorical:
    """Groups of `dataset` in which all images of a cluster, given by their indices, share one.

    Connected components: images hang together that share a cluster, a group or their content. A
    component has the name of its first group by name, or else `similar-` and the beginning of its
    least content, which does not depend on names or order. An image that hangs together with none,
    or with others of its content alone, has no group, as before: its content is its unit.
    """
    count = len(dataset)
    components, everything = Clusters(count), np.arange(count)
    first, content = dataset.digests.distinct()
    components.join(first[content], everything)
    given = dataset.groups or Categorical.of([""] * count)
    named = np.array([bool(name) for name in given.names])[given.codes]
    _, start, code = np.unique(given.codes[named], return_index=True, return_inverse=True)
    inside = np.flatnonzero(named)
    components.join(inside[start][code], inside)
    grouped = named.copy()
    for cluster in clusters:
        members = np.asarray(cluster)
        components.join(np.full(len(members), members[0]), members)
        grouped[members] = True
    roots = components.roots(everything)
    names: dict[int, str] = {}
    for image in np.flatnonzero(named).tolist():
        root, name = int(roots[image]), given[image]
        names[root] = min(names.get(root, name), name)
    least: dict[int, str] = {}
    for image in np.flatnonzero(np.isin(roots, roots[grouped])).tolist():
        root, digest = int(roots[image]), dataset.digests[image]
        least[root] = min(least.get(root, digest), digest)
    for root, digest in least.items():
        names.setdefault(root, f"similar-{digest[:12]}")
    return Categorical.of(names.get(root, "") for root in roots.tolist())


def cluster_rows(dataset: Dataset, similar: SimilarImages) -> list[list[int]]:
    """The indices in `dataset` of the images of each cluster that was found in it."""
    index = {dataset.name_of(image): image for image in range(len(dataset))}
    return [[index[name] for name in cluster.names] for cluster in similar.clusters]
