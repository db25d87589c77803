"""Runs each system alone under each load, round by round, and writes the table.

Rounds go over all systems before the next begins, so that what drifts on the machine drifts for
all. The figure in the table is the median of the rounds; results.json has every one of them.
"""

import argparse
import datetime
import os
import shutil
import signal
import statistics
import sys
import tempfile

import loads
import report
import systems
from systems import Failure

RESP_SYSTEMS = (systems.Redis, systems.RedisSynced, systems.Starling)


class Results:
    """load -> system -> the figures of each round."""

    def __init__(self):
        self.loads = {}
        self.failures = []

    def measure(self, load, system, run):
        try:
            figures = run()
        except Failure as failure:
            self.failures.append(f"{system.title}, {load}: {failure}")
            print(f"  {load}: FAILED: {failure}", flush=True)
            return
        self.loads.setdefault(load, {}).setdefault(system.key, []).append(figures)
        print(f"  {load}: {figures['per_second']:,.0f}/s", flush=True)

    def medians(self):
        def median(rounds):
            keys = {key for one in rounds for key, value in one.items() if value is not None}
            return {key: statistics.median(f[key] for f in rounds if f.get(key) is not None)
                    for key in sorted(keys)}
        return {load: {system: median(rounds) for system, rounds in by_system.items()}
                for load, by_system in self.loads.items()}


def running(system, results, work):
    """Starts the system, does `work` with it, stops it. One that can't start is a failure, too."""
    print(f"{system.title}", flush=True)
    try:
        with system:
            work()
    except Failure as failure:
        results.failures.append(f"{system.title}: {failure}")
        print(f"  FAILED: {failure}", flush=True)


def resp_round(scratch, results, seconds):
    for kind in RESP_SYSTEMS:
        system = kind(scratch)

        def work():
            loads.fill(system.resp)
            for command in loads.COMMANDS:
                for pipeline in loads.PIPELINES:
                    results.measure(
                        report.resp_load(command, pipeline), system,
                        lambda: loads.redis_benchmark(system.resp, command, pipeline, seconds))

        running(system, results, work)


def etcd_round(scratch, results, load, seconds):
    name = report.etcd_load(load)
    etcd = systems.Etcd(scratch)
    running(etcd, results, lambda: results.measure(
        name, etcd, lambda: loads.etcd_check_perf(etcd.endpoints, load)))
    starling = systems.Starling(scratch)
    running(starling, results, lambda: results.measure(
        name, starling,
        lambda: loads.starling_like_etcd(starling.cluster.hosts, load, seconds)))


def parse_arguments():
    parser = argparse.ArgumentParser(prog="benchmarks/side_by_side/run",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=6,
                        help="of each redis-benchmark run (default 6)")
    parser.add_argument("--etcd-load", choices=loads.ETCD_LOADS, default="xl",
                        help="etcdctl check perf --load (default xl: 1,000 clients)")
    parser.add_argument("--skip", choices=["resp", "etcd"], help="leave out one half")
    parser.add_argument("--out", default=os.path.join(systems.ROOT, "benchmarks", "side_by_side",
                                                      "results"))
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 2
    return options


def main():
    options = parse_arguments()
    # SIGTERM, too, leaves through the `with` blocks, so that no server stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    scratch = tempfile.mkdtemp(prefix="starling-side-by-side-")
    results = Results()
    try:
        systems.unpack()
        for number in range(1, options.rounds + 1):
            print(f"\nround {number} of {options.rounds}", flush=True)
            if options.skip != "resp":
                resp_round(scratch, results, options.seconds)
            if options.skip != "etcd":
                seconds = 10 if options.quick else loads.ETCD_SECONDS
                etcd_round(scratch, results, options.etcd_load, seconds)
        when = datetime.datetime.now().isoformat(timespec="minutes")
        report.write(options, results, scratch, when)
    except Failure as failure:
        print(f"benchmarks/side_by_side/run: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
