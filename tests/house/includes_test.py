"""Goal:   every include follows base <- storage, merkle, gossip <- server <- tools, borders too.
Method: the rules of tools/lint.d/includes.py, tried on made-up includes, then run over the tree.
"""

import unittest

import house
import includes

EXISTING = {"base/status.h", "storage/engine.h", "storage/rocksdb/engine.h", "merkle/tree.h",
            "gossip/swim.h", "server/worker.h", "server/wire/frame.h", "client/client.h"}


def fault(path, include):
    quoted = include[0] == '"'
    return includes.fault(path, quoted, include[1:-1], EXISTING.__contains__)


class Rules(unittest.TestCase):
    def assert_allowed(self, path, *targets):
        for target in targets:
            self.assertIsNone(fault(path, target), f"{path} includes {target}")

    def assert_refused(self, path, *targets):
        for target in targets:
            self.assertIsNotNone(fault(path, target), f"{path} includes {target}")

    def test_base_includes_nothing_of_ours_but_itself(self):
        self.assert_allowed("base/status.cc", '"base/status.h"', "<vector>", "<fmt/core.h>")
        self.assert_refused("base/status.cc", '"storage/engine.h"', '"server/worker.h"')

    def test_storage_merkle_and_gossip_know_base_and_not_each_other(self):
        self.assert_allowed("merkle/tree.cc", '"base/status.h"', '"merkle/tree.h"')
        self.assert_refused("merkle/tree.cc", '"storage/engine.h"', '"gossip/swim.h"')
        self.assert_refused("gossip/swim.cc", '"merkle/tree.h"', '"server/wire/frame.h"')
        self.assert_refused("storage/entry.cc", '"gossip/swim.h"')

    def test_server_joins_the_three_and_knows_no_client_or_tool(self):
        self.assert_allowed("server/worker.cc", '"storage/engine.h"', '"merkle/tree.h"',
                            '"gossip/swim.h"', '"server/wire/frame.h"')
        self.assert_refused("server/worker.cc", '"client/client.h"', '"storage/rocksdb/engine.h"')

    def test_client_sees_base_and_the_wire_alone(self):
        self.assert_allowed("client/client.cc", '"base/status.h"', '"server/wire/frame.h"')
        self.assert_refused("client/client.cc", '"server/worker.h"', '"storage/engine.h"')

    def test_the_wire_knows_base_alone(self):
        self.assert_allowed("server/wire/frame.cc", '"base/status.h"')
        self.assert_refused("server/wire/frame.cc", '"server/worker.h"', '"storage/engine.h"')

    def test_libraries_of_others_stay_behind_their_borders(self):
        self.assert_allowed("base/uv/world.cc", "<uv.h>")
        self.assert_allowed("storage/rocksdb/engine.cc", "<rocksdb/db.h>")
        self.assert_refused("server/worker.cc", "<uv.h>", "<rocksdb/db.h>")
        self.assert_refused("storage/engine.h", "<rocksdb/db.h>")
        self.assert_refused("tests/base/bytes_test.cc", "<doctest/doctest.h>")

    def test_slow_headers_stay_in_cc_files(self):
        self.assert_allowed("server/config.cc", "<toml++/toml.h>", "<nlohmann/json.hpp>")
        self.assert_refused("server/config.h", "<toml++/toml.h>", "<nlohmann/json.hpp>")
        self.assert_allowed("server/config.h", "<nlohmann/json_fwd.hpp>")

    def test_generated_messages_are_seen_by_codecs_alone(self):
        self.assert_allowed("gossip/codec.cc", '"gossip/wire/gossip.pb.h"')
        self.assert_refused("gossip/swim.cc", '"gossip/wire/gossip.pb.h"')
        self.assert_refused("gossip/codec.h", '"gossip/wire/gossip.pb.h"')

    def test_our_headers_are_quoted_by_their_path_from_the_root(self):
        self.assert_refused("base/status.cc", "<base/status.h>", '"status.h"')


class SourceTree(unittest.TestCase):
    def test_every_include_follows_the_rules(self):
        self.assertEqual(includes.check(house.SOURCES), [])


if __name__ == "__main__":
    unittest.main()
