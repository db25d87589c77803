"""A strict reader of Prometheus' text format 0.0.4: whatever it does not understand is an error."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) (.+)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
UNITS = ("_milliseconds", "_ms", "_us", "_kb", "_mb", "_percent")


class Malformed(AssertionError):
    pass


def _labels(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        if not match or match[1] in labels:
            raise Malformed(f"labels {text!r}")
        labels[match[1]] = match[2]
        at = match.end()
        if at < len(text):
            if text[at] != ",":
                raise Malformed(f"labels {text!r}")
            at += 1
    return tuple(sorted(labels.items()))


def _check_histogram(name, series):
    by_labels = {}
    for (suffix, labels), value in series.items():
        le = dict(labels).get("le")
        rest = tuple(label for label in labels if label[0] != "le")
        group = by_labels.setdefault(rest, {"buckets": [], "_sum": None, "_count": None})
        if suffix == "_bucket":
            group["buckets"].append((math.inf if le == "+Inf" else float(le), value))
        else:
            group[suffix] = value
    for rest, group in by_labels.items():
        counts = [count for _, count in sorted(group["buckets"])]
        if not counts or counts != sorted(counts) or max(group["buckets"])[0] != math.inf:
            raise Malformed(f"buckets of {name}{rest}")
        if group["_count"] != counts[-1] or group["_sum"] is None:
            raise Malformed(f"count or sum of {name}{rest}")


def parse(text):
    """{(name, ((label, value), ...)): number}; histograms by their _bucket, _sum and _count."""
    if not text.endswith("\n"):
        raise Malformed("the last line has no end")
    types, helps, samples, family, series = {}, {}, {}, None, {}
    lines = text.split("\n")[:-1]
    for number, line in enumerate(lines):
        if help_line := HELP.fullmatch(line):
            if help_line[1] in helps:
                raise Malformed(f"HELP of {help_line[1]} twice")
            helps[help_line[1]] = help_line[2]
            family = None
        elif type_line := TYPE.fullmatch(line):
            family = type_line[1]
            if family in types or helps.get(family) is None or f"# HELP {family} " not in (
                    lines[number - 1] + " "):
                raise Malformed(f"TYPE of {family}: twice, or not after its HELP")
            types[family] = type_line[2]
            if (types[family] == "counter") != family.endswith("_total") or family.endswith(UNITS):
                raise Malformed(f"{family} is a bad name for a {types[family]}")
        elif sample := SAMPLE.fullmatch(line):
            name, labels, value = sample[1], _labels(sample[2] or ""), float(sample[3])
            suffix = name.removeprefix(family or "?")
            allowed = (("_bucket", "_sum", "_count") if types.get(family) == "histogram" else ("",))
            if not name.startswith(family or "?") or suffix not in allowed:
                raise Malformed(f"line {number + 1} is outside of its family: {line!r}")
            if not math.isfinite(value) or (name, labels) in samples:
                raise Malformed(f"line {number + 1}: {line!r}")
            samples[(name, labels)] = value
            series.setdefault(family, {})[(suffix, labels)] = value
        else:
            raise Malformed(f"line {number + 1}: {line!r}")
    for name, kind in types.items():
        if kind == "histogram":
            _check_histogram(name, series.get(name, {}))
    return samples
