"""Cycles: which nodes of a graph wait for each other in a circle.

In: for each node, the nodes it waits for. Out: for each knot of nodes that can never start, one short circle
through it, written so that each node waits for the next. Linear in nodes and edges, since admission of a flow
of a thousand steps must not be felt; and the same graph always gives the same answer, since users compare
messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence


def find_cycles(waits_for: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One circle per knot, as `[a, b, c, a]`, starting at the knot's first node in the graph's order.

    Edges to nodes that are not in the graph are left out of account; a node that waits for itself is a
    circle.
    """
    order = {node: index for index, node in enumerate(waits_for)}
    found = []
    for knot in _knots(waits_for):
        first = min(knot, key=order.__getitem__)
        if len(knot) > 1 or first in waits_for[first]:
            found.append((order[first], _shortest_circle(waits_for, first, knot)))
    return [circle for _, circle in sorted(found)]


def _shortest_circle(waits_for: Mapping[str, Sequence[str]], first: str, knot: set[str]) -> list[str]:
    """The shortest way from `first` back to itself without leaving its knot: a breadth-first search."""
    came_from: dict[str, str] = {}
    queue = deque([first])
    while queue:
        node = queue.popleft()
        for target in waits_for[node]:
            if target == first:
                way = [first]
                while node != first:
                    way.append(node)
                    node = came_from[node]
                return [first, *way[::-1]]
            if target in knot and target not in came_from:
                came_from[target] = node
                queue.append(target)
    raise AssertionError(f"{first} is in a knot but no way leads back to it")


def _knots(waits_for: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """Strongly connected components: Tarjan's algorithm, with a stack of its own against long chains."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_nodes: list[str] = []
    is_open: set[str] = set()
    for root in waits_for:
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(waits_for[root]))]
        index[root] = low[root] = len(index)
        open_nodes.append(root)
        is_open.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in waits_for:
                    continue
                if target not in index:
                    index[target] = low[target] = len(index)
                    open_nodes.append(target)
                    is_open.add(target)
                    work.append((target, iter(waits_for[target])))
                    break
                if target in is_open:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield _close(node, open_nodes, is_open)


def _close(node: str, open_nodes: list[str], is_open: set[str]) -> set[str]:
    knot: set[str] = set()
    while node not in knot:
        member = open_nodes.pop()
        is_open.discard(member)
        knot.add(member)
    return knot
