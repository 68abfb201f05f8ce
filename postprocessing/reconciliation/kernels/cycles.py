"""Kernel that finds the shortest cycle of a graph: searches in breadth from given nodes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from postprocessing.simd.compile import kernel

Integers = npt.NDArray[np.int64]


@kernel
def shortest_cycle(first: Integers, neighbours: Integers, starts: Integers, most: int) -> int:
    """Return the length of the shortest cycle through a start, `most` if none is shorter.

    The neighbours of node i are ``neighbours[first[i]:first[i + 1]]``.
    """
    nodes = first.shape[0] - 1
    distance, parent = np.full(nodes, -1, np.int64), np.empty(nodes, np.int64)
    queue, best = np.empty(nodes, np.int64), most
    for start in starts:
        queue[0], distance[start], parent[start] = start, 0, -1
        begin, end = 0, 1
        while begin < end and 2 * distance[queue[begin]] + 1 < best:
            node = queue[begin]
            begin += 1
            for k in range(first[node], first[node + 1]):
                other = neighbours[k]
                if other == parent[node]:
                    continue
                if distance[other] < 0:
                    distance[other], parent[other] = distance[node] + 1, node
                    queue[end] = other
                    end += 1
                else:
                    best = min(best, distance[node] + distance[other] + 1)
        for i in range(end):
            distance[queue[i]] = -1
    length: int = best
    return length
