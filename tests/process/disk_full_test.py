"""Goal:   a disk that fills up, with no reserve kept, ends the node with status 2 and one line that
        says so; once there is room again, the node has all that it acknowledged.
Method: a node whose data directory is a small file system in memory; starling-stress fills it, one
        write at a time and many at once; then the file system is made larger, and `verify` reads
        back every record. Needs the right to mount: elsewhere it is skipped, and says why.
"""

import os
import signal
import unittest

import cluster
import small_disk

RECORDS = 6000  # Of 20 KB: three times what there is room for.


class DiskFull(small_disk.SmallDiskCase):
    def fill_and_go_on(self, connections, in_flight):
        nodes = self.make_cluster(1, storage_memtables="8MiB", storage_reserve="0")
        node = nodes.node(1)
        disk = self.small_disk(nodes, node, "40m")
        nodes.start()
        history = os.path.join(nodes.folder, "history")
        with open(os.path.join(nodes.folder, "load.log"), "wb") as log:
            load = cluster.spawn(
                [cluster.program("starling-stress"), "run", "--hosts", nodes.hosts, "--workload",
                 "write", "--deletes", "0", "--records", str(RECORDS), "--value-size", "20000",
                 "--duration", "2m", "--warmup", "0s", "--timeout", "1s", "--connections",
                 str(connections), "--in-flight", str(in_flight), "--check", "--history",
                 history], log)
        self.addCleanup(lambda: load.poll() is None and (load.kill(), load.wait()))
        cluster.wait_for(lambda: not node.running, 60, "the node to end")
        load.send_signal(signal.SIGINT)
        load.wait(30)
        last = node.log_text().splitlines()[-1]
        self.assertEqual(node.process.returncode, 2, last)
        self.assertTrue(last.startswith("starlingd: cannot write to storage"), last)
        for words in (node.data, "No space left on device", "make room"):
            self.assertIn(words, last)

        self.mount(disk, "remount,size=400m")
        nodes.start()
        verified = cluster.run_tool("starling-stress", "verify", "--hosts", nodes.hosts,
                                    "--history", history, seconds=120, check=False)
        said = verified.stdout.decode() + verified.stderr.decode()
        self.assertEqual(verified.returncode, 0, said)
        self.assertIn("0 lost, 0 stale, 0 resurrected, 0 phantom", said)
        print(said.splitlines()[0], flush=True)

    def test_one_write_at_a_time(self):
        self.fill_and_go_on(connections=1, in_flight=1)

    def test_many_writes_at_once(self):
        self.fill_and_go_on(connections=4, in_flight=16)


if __name__ == "__main__":
    unittest.main()
