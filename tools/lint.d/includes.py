"""Include direction: base <- storage, merkle, gossip <- server <- tools, and the borders.

A border is a header of others that few files may know, so that a library can be replaced, or
a slow header compiled seldom. tests/house runs this as a test as well.
"""

import os

FOLDERS = ("base", "storage", "merkle", "gossip", "server", "client", "tools", "tests",
           "benchmarks")

# What each folder may include besides itself. tests and benchmarks may include anything.
MAY_INCLUDE = {
    "base": (),
    "storage": ("base",),
    "merkle": ("base",),
    "gossip": ("base",),
    "server/wire": ("base",),
    "server": ("base", "storage", "merkle", "gossip"),
    "client": ("base", "server/wire"),
    "tools": ("base", "storage", "merkle", "gossip", "server", "client"),
}

# (what, how it is recognised, who may include it)
BORDERS = (
    ("libuv", lambda h: h == "uv.h" or h.startswith("uv/"), ("base/uv/",)),
    ("libcrypto", lambda h: h.startswith("openssl/"), ("gossip/crypto.cc",)),
    ("RocksDB", lambda h: h.startswith("rocksdb/"),
     ("storage/rocksdb/", "tests/storage/", "benchmarks/storage/", "benchmarks/tree/")),
    ("the RocksDB engine", lambda h: h.startswith("storage/rocksdb/"),
     ("storage/rocksdb/", "tools/", "tests/", "benchmarks/")),
    ("doctest (include tests/test.h)", lambda h: h.startswith("doctest"), ("tests/test.h",)),
)

# Headers that cost 7-17 s of compile time each: never in a header of ours.
HEAVY = ("CLI/", "toml++/", "toml.hpp", "spdlog/", "nlohmann/", "rapidcheck")
LIGHT = {"nlohmann/json_fwd.hpp"}  # Only names what the heavy one defines: 0.6 s, as <map> takes.
NEVER = {"iostream": "use fmt or base/log.h: <iostream> puts static initialisers in every file"}


def folder_of(path):
    """The entry of MAY_INCLUDE that a path falls under: the longest that fits."""
    best = ""
    for folder in (*MAY_INCLUDE, "tests", "benchmarks"):
        if path.startswith(folder + "/") and len(folder) > len(best):
            best = folder
    return best


def may_include_generated(path):
    name = os.path.basename(path)
    return name == "codec.cc" or name.endswith(("_codec.cc", "codec_test.cc"))


def direction_fault(path, target):
    """Why `path` may not include our own header `target`; None if it may."""
    own = folder_of(path)
    theirs = folder_of(target)
    if own in ("tests", "benchmarks"):
        return None
    allowed = (own, *MAY_INCLUDE.get(own, ()))
    if theirs in allowed or any(theirs.startswith(folder + "/") for folder in allowed):
        return None
    return f"{own}/ may not include {target}: it may include {', '.join(allowed)} only"


def fault(path, quoted, target, exists):
    if target in NEVER:
        return NEVER[target]
    for what, recognised, homes in BORDERS:
        if recognised(target) and not path.startswith(homes):
            return f"{target}: {what} is known to {', '.join(homes)} only"
    if target.startswith(HEAVY) and target not in LIGHT and path.endswith(".h"):
        return f"{target} is slow to compile: include it in a .cc file"
    if target.endswith(".pb.h"):
        if may_include_generated(path):
            return None
        return f"{target}: only codec.cc files see generated messages"
    if target.split("/")[0] in FOLDERS and "/" in target and exists(target):
        return direction_fault(path, target) if quoted else f"<{target}> is ours: quote it"
    if quoted:
        return f'"{target}" is no file of ours by its path from the root; others\' headers go in <>'
    return None


def check(sources):
    ours = set(sources.files)
    messages = []
    for path in sources.cpp:
        for line, quoted, target in sources.includes(path):
            why = fault(path, quoted, target, ours.__contains__)
            if why:
                messages.append(f"{path}:{line}: {why}")
    return messages
