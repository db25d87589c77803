"""A data directory on a file system in memory, small enough to be filled.

Needs the right to mount: elsewhere the test is skipped, and says why.
"""

import os
import subprocess

import case


class SmallDiskCase(case.ClusterCase):
    def mount(self, folder, options):
        run = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
                             capture_output=True, text=True, check=False)
        if run.returncode != 0:
            reason = f"no file system can be mounted here: {run.stderr.strip()}"
            print(f"skipped: {reason}", flush=True)
            self.skipTest(reason)

    def small_disk(self, nodes, node, size):
        """Gives the node, which does not run yet, a disk of this size; the folder that it is at."""
        folder = os.path.join(nodes.folder, f"disk{node.number}")
        os.mkdir(folder)
        self.mount(folder, f"size={size}")
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        # Cleanups run backwards: the node is gone before.
        self.addCleanup(lambda: node.running and node.kill())
        node.data = os.path.join(folder, "data")
        return folder
