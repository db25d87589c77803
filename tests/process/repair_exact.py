#!/usr/bin/env python3
"""How much repair moves and reads, against what it has to: on real nodes, with hints off.

    tests/process/repair_exact.py              1,000,000 keys, as the project promises
    tests/process/repair_exact.py --keys 20000

Ten keys are written while one node is down. Repair must send that node exactly ten entries in
under 100 KB, send nothing when it is repeated, and read no data to find replicas equal.
"""

import argparse
import sys

import case
import cluster

CHANGED = 10
VALUE_BYTES = 100
BYTES_SENT_MAX = 100_000
COMPARISONS = 3  # Of each node, while nothing may be read.
READS = ("repair.data_bytes_read", "engine.bytes_read", "engine.iter_bytes_read")


def check(holds, what):
    print(f"  {'ok' if holds else 'WRONG'}: {what}", flush=True)
    if not holds:
        raise cluster.Failure(what)


def total(nodes, counter):
    return sum(node.repair_counters()[counter] for node in nodes)


def load_in_parts(nodes, keys):
    """A million rows in one list would weigh more than the nodes."""
    for start in range(0, keys, 100_000):
        data = {f"key{number:09d}": f"{number}.".ljust(VALUE_BYTES, "v")
                for number in range(start, min(keys, start + 100_000))}
        case.load(nodes, data, "--consistency", "ALL")


def sends_only_what_differs(nodes):
    up, down = nodes.nodes[:2], nodes.node(3)
    nodes.wait_equal(cluster.wall_ms(), 60)
    down.kill()
    nodes.wait_seen({down: "DN"}, 30)
    half = CHANGED // 2
    case.load(nodes, {**{f"key{number:09d}": "n" * VALUE_BYTES for number in range(half)},
                      **{f"new{number:09d}": "n" * VALUE_BYTES for number in range(half)}})
    before = {name: total(up, name) for name in ("repair.entries_sent", "repair.bytes_sent")}

    started_ms = cluster.wall_ms()
    down.start()
    nodes.wait_whole(60)
    nodes.wait_equal(started_ms, 60)
    sent = total(nodes.nodes, "repair.entries_sent") - before["repair.entries_sent"]
    size = total(nodes.nodes, "repair.bytes_sent") - before["repair.bytes_sent"]
    received = down.repair_counters()["repair.entries_received"]
    check(sent == CHANGED, f"{sent} entries sent for {CHANGED} keys written meanwhile")
    check(received == CHANGED, f"{received} entries received by the node that was down")
    check(size < BYTES_SENT_MAX, f"{size} bytes sent by all nodes, fewer than {BYTES_SENT_MAX}")

    began_ms = cluster.wall_ms()
    for node in nodes.nodes:
        node.nodetool("repair", "default")
    nodes.wait_equal(began_ms, 60)
    again = total(nodes.nodes, "repair.entries_sent") - before["repair.entries_sent"] - sent
    check(again == 0, f"{again} entries sent by a repair of equal replicas")


def reads_nothing_when_equal(nodes):
    for node in nodes.nodes:
        node.nodetool("flush")
        node.nodetool("compact", seconds=300)
    nodes.wait_equal(cluster.wall_ms(), 60)
    before = {node.number: node.repair_counters() for node in nodes.nodes}

    def compared_enough():
        return all(node.repair_counters()["repair.comparisons"]
                   >= before[node.number]["repair.comparisons"] + COMPARISONS
                   for node in nodes.nodes)

    cluster.wait_for(compared_enough, 90, f"{COMPARISONS} more comparisons of each node")
    for node in nodes.nodes:
        after = node.repair_counters()
        read = {name: after[name] - before[node.number][name] for name in READS}
        check(not any(read.values()), f"node {node.number} read {read} for {COMPARISONS} or more "
              "comparisons of equal replicas")
    counters_count(nodes)


def counters_count(nodes):
    """That the counters stayed says something only if they would have moved."""
    check(total(nodes.nodes, "repair.data_bytes_read") > 0, "the repair before had to read data")
    before = {name: total(nodes.nodes, name) for name in READS}
    nodes.starling("--consistency", "ALL", "get", f"key{0:09d}")
    nodes.starling("--consistency", "ALL", "export", seconds=300)
    for name in ("engine.bytes_read", "engine.iter_bytes_read"):
        grown = total(nodes.nodes, name) - before[name]
        check(grown > 0, f"{name} grew by {grown} when data was read")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    keys = parser.parse_args().keys
    nodes = cluster.Cluster(3, "repair", {"hints.enabled": False})
    try:
        nodes.start()
        print(f"importing {keys} keys", flush=True)
        load_in_parts(nodes, keys)
        print("a node misses ten writes", flush=True)
        sends_only_what_differs(nodes)
        print("equal replicas are compared", flush=True)
        reads_nothing_when_equal(nodes)
    except cluster.Failure as failure:
        nodes.print_logs()
        print(f"repair_exact: {failure}", file=sys.stderr)
        return 1
    finally:
        nodes.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
