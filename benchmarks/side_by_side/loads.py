"""The loads: redis-benchmark over RESP, etcd's own `check perf`, and its like by starling-stress.

Each gives a dict with per_second, and p50_ms, p99_ms or slowest_ms where its tool tells.
"""

import csv
import io
import json
import os
import re
import subprocess
import tempfile

from systems import Failure, program, unpacked

CLIENTS = 50
VALUE_BYTES = 100
KEYS = 100_000
PIPELINES = (1, 16)
COMMANDS = ("set", "get", "mset")
# What `etcdctl check perf` does in each load, by its source: clients, writes a second at most.
ETCD_LOADS = {"s": (50, 150), "m": (200, 1000), "l": (500, 8000), "xl": (1000, 15000)}
ETCD_VALUE_BYTES = 1024
ETCD_SECONDS = 60  # Fixed by the tool.
PROBE_REQUESTS = 5000


def _redis_benchmark(server, command, pipeline, requests, seconds_max):
    host, port = server
    run = subprocess.run(
        ["redis-benchmark", "-h", host, "-p", str(port), "-t", command, "-c", str(CLIENTS),
         "-P", str(pipeline), "-d", str(VALUE_BYTES), "-r", str(KEYS), "-n", str(requests),
         "--csv"],
        capture_output=True, text=True, check=False, timeout=seconds_max)
    rows = [row for row in csv.DictReader(io.StringIO(run.stdout)) if row.get("rps")]
    if run.returncode != 0 or not rows:
        raise Failure(f"redis-benchmark -t {command} against {host}:{port} failed: "
                      f"{(run.stderr or run.stdout).strip()[-300:]}")
    row = rows[-1]
    return {"per_second": float(row["rps"]), "p50_ms": float(row["p50_latency_ms"]),
            "p99_ms": float(row["p99_latency_ms"])}


def redis_benchmark(server, command, pipeline, seconds):
    """As many requests as take about `seconds`: the tool counts requests, not time."""
    limit = seconds * 10 + 60
    probe = _redis_benchmark(server, command, pipeline, PROBE_REQUESTS, limit)
    requests = max(PROBE_REQUESTS, int(probe["per_second"] * seconds))
    return _redis_benchmark(server, command, pipeline, requests, limit)


def fill(server):
    """Puts the keys that gets will ask for, so that no system is asked for what it has not."""
    _redis_benchmark(server, "set", PIPELINES[-1], 4 * KEYS, 300)


def etcd_check_perf(endpoints, load):
    run = subprocess.run([unpacked("etcdctl"), "--endpoints", endpoints, "check", "perf",
                          "--load", load], env={**os.environ, "ETCDCTL_API": "3"},
                         capture_output=True, text=True, check=False, timeout=ETCD_SECONDS * 4)
    output = run.stdout + run.stderr
    rate = re.search(r"Throughput (?:is|too low:) (\d+) writes/s", output)
    slowest = re.search(r"Slowest request took (?:too long: )?([\d.]+)s", output)
    if not rate:  # Its verdict may be FAIL, with exit status 1: the figures are there all the same.
        raise Failure(f"etcdctl check perf printed no throughput: {output.strip()[-300:]}")
    return {"per_second": float(rate[1]),
            "slowest_ms": float(slowest[1]) * 1000 if slowest else None}


def starling_like_etcd(hosts, load, seconds):
    """Writes of 1 KiB by as many clients, each with one request under way, as fast as they go."""
    clients, _ = ETCD_LOADS[load]
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        run = subprocess.run(
            [program("starling-stress"), "run", "--hosts", hosts, "--workload", "write",
             "--records", str(KEYS), "--value-size", str(ETCD_VALUE_BYTES),
             "--connections", str(clients), "--in-flight", "1", "--consistency", "QUORUM",
             "--duration", f"{seconds}s", "--json", file.name],
            capture_output=True, text=True, check=False, timeout=seconds * 2 + 60)
        if run.returncode != 0:
            raise Failure(f"starling-stress failed: {(run.stderr or run.stdout).strip()[-300:]}")
        said = json.load(file)
    latency = said["latency"]["all"]
    return {"per_second": said["ops_per_second"], "p50_ms": latency["p50_us"] / 1000,
            "p99_ms": latency["p99_us"] / 1000}
