"""results.md for people, results.json for programs, and on what machine they were made."""

import json
import os
import platform
import subprocess

import loads
import systems

KINDS = (systems.Redis, systems.RedisSynced, systems.Etcd, systems.Starling)


def resp_load(command, pipeline):
    return f"redis-benchmark {command}, {loads.CLIENTS} clients, pipeline {pipeline}"


def etcd_load(load):
    clients, _ = loads.ETCD_LOADS[load]
    return f"writes of 1 KiB, {clients} clients"


def machine(scratch):
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    disk = subprocess.run(["stat", "-f", "-c", "%T", scratch], capture_output=True, text=True,
                          check=False).stdout.strip()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=systems.ROOT,
                            capture_output=True, text=True, check=False).stdout.strip()
    return {
        "cores": os.cpu_count(), "cpu": model, "kernel": platform.release(), "file_system": disk,
        "redis": systems.version_of("redis-server", "--version").split(" sha")[0],
        "etcd": systems.version_of("etcd", "--version"), "starling_commit": commit,
    }


def _cell(figures):
    if not figures:
        return "-"
    latency = ", ".join(f"{key.removesuffix('_ms')} {figures[key]:,.4g} ms"
                        for key in ("p50_ms", "p99_ms", "slowest_ms")
                        if figures.get(key) is not None)
    return f"{figures['per_second']:,.0f}/s" + (f" ({latency})" if latency else "")


def _table(medians):
    present = [kind for kind in KINDS if any(kind.key in row for row in medians.values())]
    lines = ["| load | " + " | ".join(kind.title for kind in present) + " |",
             "|---|" + "---|" * len(present)]
    lines += [f"| {load} | " + " | ".join(_cell(row.get(kind.key)) for kind in present) + " |"
              for load, row in medians.items()]
    return lines


def _ratios(medians):
    """Starling against each other system, in requests a second."""
    for load, row in medians.items():
        ours = row.get(systems.Starling.key)
        for kind in KINDS[:-1]:
            if ours and row.get(kind.key):
                yield load, kind, ours["per_second"] / row[kind.key]["per_second"]


def markdown(options, results, where, when):
    medians = results.medians()
    lines = [f"# Side by side, {when}", "",
             f"Median of {options.rounds} round(s), in requests a second. Each system ran alone, "
             f"all on one machine: {where['cores']} cores ({where['cpu']}), "
             f"{where['file_system']}, "
             f"kernel {where['kernel']}. The load generator shared these cores.", ""]
    lines += _table(medians)
    lines += ["", "Starling's rate as a multiple of the other's:", ""]
    lines += [f"- {load}: {ratio:.2f} x {kind.title}" for load, kind, ratio in _ratios(medians)]
    lines += ["", "What an acknowledged write means:", ""]
    lines += [f"- {kind.title}: {kind.promises}." for kind in KINDS]
    clients, rate = loads.ETCD_LOADS[options.etcd_load]
    lines += ["", f"redis-benchmark: values of {loads.VALUE_BYTES} bytes, {loads.KEYS:,} keys, "
              "nearly all set before the first get; mset writes ten keys a request. Starling "
              "answers "
              "through one of its three nodes.", "",
              f"1 KiB: etcd under `etcdctl check perf --load {options.etcd_load}` ({clients} "
              f"clients, {rate:,} writes/s asked for at most); Starling under starling-stress with "
              "as many connections, one write under way on each, QUORUM, no limit of rate.", "",
              f"Versions: {where['redis']}; {where['etcd']}; Starling {where['starling_commit']}."]
    if results.failures:
        lines += ["", "Failed:", ""] + [f"- {failure}" for failure in results.failures]
    return "\n".join(lines) + "\n"


def write(options, results, scratch, when):
    where = machine(scratch)
    os.makedirs(options.out, exist_ok=True)
    text = markdown(options, results, where, when)
    with open(os.path.join(options.out, "results.md"), "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(options.out, "results.json"), "w", encoding="utf-8") as file:
        json.dump({"when": when, "machine": where, "rounds": options.rounds,
                   "medians": results.medians(), "all": results.loads,
                   "failures": results.failures}, file, indent=1)
        file.write("\n")
    print(f"\n{text}\nwritten to {options.out}")
