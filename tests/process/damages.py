"""What can happen to the files of a data directory, and a cluster whose node 3 it happens to."""

import os
import shutil
import struct

import case
import cluster

ROWS = 2000
FOOTER_BYTES = 53  # Of a table: checksum's kind, two handles, padding, version, magic number.
BLOCK_TRAILER_BYTES = 5


# --- files ---

def files(directory, ending):
    """Paths of RocksDB's files with this ending, oldest first."""
    names = [name for name in os.listdir(directory) if name.endswith(ending)]
    return [os.path.join(directory, name) for name in sorted(names)]


def beginning(directory, name):
    """The newest file whose name begins so, as MANIFEST-000005."""
    names = [each for each in os.listdir(directory) if each.startswith(name)]
    return os.path.join(directory, max(names))


def largest(paths):
    return max(paths, key=os.path.getsize)


def log_of(directory):
    """The log that is being written. An older one may be there still, of what tables have, and as
    large: RocksDB removes it in the background."""
    return files(directory, ".log")[-1]


def flip_byte(path, position):
    with open(path, "r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0x10]))


def flip(path, at):
    """Flips a bit at a share of the file's length."""
    size = os.path.getsize(path)
    flip_byte(path, min(int(size * at), size - 1))


def cut(path, to):
    os.truncate(path, int(os.path.getsize(path) * to))


# --- tables ---

def _number(data, at):
    """A variable-length number of RocksDB's, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7f) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _handles(data, at, count):
    """Places and sizes of so many blocks."""
    found = []
    for _ in range(count):
        place, at = _number(data, at)
        size, at = _number(data, at)
        found.append((place, size))
    return found


def table_parts(path):
    """By name, where in a table its parts are: (place, bytes)."""
    with open(path, "rb") as file:
        data = file.read()
    meta, index = _handles(data, len(data) - FOOTER_BYTES + 1, 2)
    parts = {"data": (0, index[0] // 2), "index": index, "metaindex": meta,
             # The rest is padding, which nobody reads, and the magic number at the end.
             "footer": (len(data) - FOOTER_BYTES, 4)}
    end = sum(meta)
    at = meta[0]
    entries_end = end - 4 - 4 * struct.unpack_from("<I", data, end - 4)[0]
    key = b""
    while at < entries_end:
        shared, at = _number(data, at)
        own, at = _number(data, at)
        size, at = _number(data, at)
        key = key[:shared] + data[at:at + own]
        at += own
        name = "filter" if b"filter" in key else key.decode().removeprefix("rocksdb.")
        parts[name] = _handles(data, at, 1)[0]
        at += size
    return parts


def flip_part(path, name):
    place, size = table_parts(path)[name]
    flip_byte(path, place + size // 2)


# --- a cluster whose node 3 is hurt ---

class HurtCase(case.ClusterCase):
    rows_a_round = ROWS  # In tables, and as many in the log.
    # A compaction that a start begins may replace a table whose damage it does not meet, in a
    # filter say, before anybody notices. After this one there are too few tables for another.
    compact_first = False
    keeps_older = False  # A copy of the data directory, between the tables and the log.

    def setUp(self):
        self.expected = {}
        self.round = 0
        self.flush_between = False
        self.flush_last = False

    def write_more(self, nodes, between=lambda: None):
        """Rows in tables, and as many in the log alone; `between` the first and second half."""
        self.round += 1
        if self.compact_first:
            nodes.node(3).nodetool("compact")
        for part in ("table", "log", "more"):
            rows = case.rows(self.rows_a_round if part == "table" else self.rows_a_round // 2,
                             prefix=f"{self.round}-{part}")
            # All: what came late to node 3 would keep the log before the flush alive, too.
            case.load(nodes, rows, "--consistency", "ALL")
            self.expected.update(rows)
            if part == "table":
                nodes.node(3).nodetool("flush")
            if part == "log":
                between()
            if part == "log" and self.flush_between:
                nodes.node(3).nodetool("flush")
        if self.flush_last:
            nodes.node(3).nodetool("flush")

    def epoch(self, nodes):
        return nodes.node(1).nodetool("describecluster")["epoch"]

    def hurt(self, nodes, name, damage, words, lost=True):
        """One round: node 3 is killed and hurt, and has all again."""
        node = nodes.node(3)
        copy = node.data + ".copy"

        def keep_copy():
            for turn in range(20):  # A file may go while the directory is being copied.
                shutil.rmtree(copy, ignore_errors=True)
                try:
                    shutil.copytree(node.data, copy)
                    return
                except shutil.Error:
                    if turn == 19:
                        raise

        self.write_more(nodes, keep_copy if self.keeps_older else lambda: None)
        epoch = self.epoch(nodes)
        said = len(node.log_text())
        node.kill()
        damage(node.data)
        node.start()
        if lost:  # Of a flipped table it knows once a scrub has read it.
            self.wait_healed(nodes, said, name)
        nodes.wait_whole(60)
        log = node.log_text()[said:]
        for word in words + (["lost data that it had acknowledged"] if lost else []):
            self.assertRegex(log, word, name)
        if not lost:
            self.assertNotIn("lost data", log, name)
        (self.assertGreater if lost else self.assertEqual)(self.epoch(nodes), epoch, name)
        self.alone_has_all(nodes, node, name)

    def wait_healed(self, nodes, said, name):
        """Node 3 has all again by itself; nothing wrong is answered meanwhile."""
        node = nodes.node(3)

        def healed():
            found = case.from_jsonl(nodes.starling(
                "--consistency", "QUORUM", "export", "--format", "jsonl", seconds=120).stdout)
            self.assertEqual(case.difference(found, self.expected), "", name)
            return "ready: caught up" in node.log_text()[said:]

        cluster.wait_for(healed, 120, f"node 3 to heal: {name}")

    def alone_has_all(self, nodes, node, name):
        nodes.wait_equal(cluster.wall_ms(), 60)
        self.check_alone(nodes, node, self.expected, name)

    def voters_are(self, nodes, count):
        cluster.wait_for(
            lambda: len(nodes.node(1).nodetool("describecluster")["voters"]) == count, 30,
            f"{count} voters")
