"""Goal:   wrong input is refused with one clear message, by a node at its start and while it runs,
        and by each tool; a running node serves on.
Method: real nodes are given what they can't use; garbage comes from a seed that is printed.
"""

import json
import os
import random
import re
import socket
import struct
import unittest

import case
import cluster

MAGIC = 0x5301
KIND_PUT, KIND_ERROR = 16, 3
FRAME = struct.Struct("<HHIQIIQ")  # server/wire/frame.h
LIMIT = 4096  # limits.value of the nodes that run.
SAYS_EVERY_S = 5


def at(node, port):
    return (node.address, port)


def occupied(address, kind):
    """A socket that has the address, and does nothing with it."""
    holder = socket.socket(socket.AF_INET, kind)
    if kind == socket.SOCK_STREAM:
        # Connections of an earlier test's node may linger there.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(address)
    if kind == socket.SOCK_STREAM:
        holder.listen()
    return holder


def talk(address, data, seconds=10):
    """Sends, and gives all that comes back until the other side closes, or (None) it does not."""
    with socket.create_connection(address, timeout=seconds) as conn:
        answer = b""
        try:
            conn.sendall(data)
            while True:
                part = conn.recv(65536)
                if not part:
                    return answer
                answer += part
        except socket.timeout:
            return None
        except ConnectionError:  # Closed with bytes of ours unread.
            return answer


class AtStart(case.ClusterCase):
    def one_node(self, name="test"):
        return self.make_cluster(1, name).node(1)

    def assert_ends(self, node, *words, settings=None):
        self.assert_one_line(node.run_to_end(settings), "starlingd", *words)

    def test_unknown_flags_and_keys_and_values_out_of_range(self):
        node = self.one_node()
        run = cluster.run_tool("starlingd", "--frobnicate", check=False)
        self.assert_one_line(run, "starlingd", "--frobnicate")
        self.assert_ends(node, "node.data_dri", "did you mean node.data_dir?",
                         settings={"node.data_dri": "x"})
        self.assert_ends(node, "frob.nicate", "unknown key", settings={"frob.nicate": "x"})
        self.assert_ends(node, "node.workers", "65", settings={"node.workers": 65})
        self.assert_ends(node, "repair.interval", "soon", settings={"repair.interval": "soon"})
        self.assert_ends(node, "storage.memtables", "too large, the largest is 17179869183GiB",
                         settings={"storage.memtables": "99999999999999999999GiB"})
        self.assert_ends(node, "cluster.seeds", "no port",
                         settings={"cluster.seeds": "127.0.0.1"})

    def test_an_unknown_key_in_the_file_or_the_environment(self):
        node = self.one_node()
        node.write_config()
        with open(node.config, "a", encoding="utf-8") as file:
            file.write("[repiar]\ninterval = \"1s\"\n")
        run = cluster.run_tool("starlingd", "--config", node.config, check=False)
        self.assert_one_line(run, "starlingd", node.config, "repiar", "did you mean [repair]?")
        node.write_config()
        run = cluster.run_tool("starlingd", "--config", node.config, check=False,
                               environment={"STARLING_NODE_WORKRES": "1"})
        self.assert_one_line(run, "starlingd", "STARLING_NODE_WORKRES", "STARLING_NODE_WORKERS")
        run = cluster.run_tool("starlingd", "--config", node.config + ".not", check=False)
        self.assert_one_line(run, "starlingd", node.config + ".not", "No such file")

    def test_what_is_quoted_makes_no_line_of_its_own(self):
        for program, *arguments in (("starlingd", "--config", "no\nfile\x1b[2J"),
                                    ("starling-stress", "run", "--workload", "no\nload\x1b[2J"),
                                    ("gossip-sim", "rumor", "--csv", "/no\nfolder\x1b[2J/x")):
            run = cluster.run_tool(program, *arguments, check=False)
            self.assert_one_line(run, program, r"no\n", r"\x1b[2J")

    def test_a_port_in_use(self):
        node = self.one_node()
        for port, kind in ((cluster.CLUSTER_PORT, socket.SOCK_STREAM),
                           (cluster.CLUSTER_PORT, socket.SOCK_DGRAM),
                           (cluster.CLIENT_PORT, socket.SOCK_STREAM),
                           (cluster.RESP_PORT, socket.SOCK_STREAM)):
            with occupied(at(node, port), kind):
                self.assert_ends(node, f"{node.address}:{port}", "in use")

    def test_beyond_loopback_only_if_told_to(self):
        node = self.one_node()
        other = {"node.listen": "192.0.2.1"}  # For documentation: no machine has it.
        self.assert_ends(node, "192.0.2.1", "security.insecure", settings=other)
        self.assert_ends(node, "192.0.2.1:7700", "not available",
                         settings={**other, "security.insecure": True})

    def test_a_data_directory_that_cannot_be_made(self):
        node = self.one_node()
        with open(node.data, "w", encoding="utf-8") as file:
            file.write("a file\n")
        self.assert_ends(node, node.data)
        below = f"{node.data}/below"
        self.assert_ends(node, below, settings={"node.data_dir": below})

    def test_a_data_directory_that_is_not_this_clusters_or_too_new(self):
        node = self.one_node("first")
        node.start()
        node.cluster.wait_whole()
        self.assertEqual(node.stop(), 0)
        node.name = "second"
        self.assert_ends(node, node.data, "'first'", "'second'")
        node.name = "first"
        cluster.run_tool("newer_format", node.data)
        self.assert_ends(node, node.data, "format 3", "newer")

    def test_a_name_that_never_was_in_a_cluster_binds_nobody(self):
        node = self.one_node("mistyped")
        with occupied(at(node, cluster.RESP_PORT), socket.SOCK_STREAM):
            self.assert_ends(node, f"{node.address}:{cluster.RESP_PORT}", "in use")
        node.name = "right"
        node.start()
        node.cluster.wait_whole()
        self.assertEqual(node.nodetool("status")["cluster"], "right")

    def test_a_data_directory_in_use(self):
        node = self.one_node()
        node.start()
        node.cluster.wait_whole()
        twin = self.one_node()
        twin.data = node.data
        at_work = os.path.join(node.data, "snapshots", ".unfinished")  # As while it makes one.
        os.makedirs(at_work)
        self.assert_ends(twin, node.data, "in use")
        self.assertTrue(os.path.isdir(at_work))

    def test_another_cluster_of_the_same_name_is_told_by_its_id(self):
        here, there = self.one_node("twins"), self.one_node("twins")
        for node in (here, there):
            node.start()
            node.cluster.wait_whole()
        ids = [node.nodetool("describecluster")["cluster_id"] for node in (here, there)]
        self.assertNotEqual(*ids)
        self.assertEqual(there.stop(), 0)
        there.seeds = [f"{here.address}:{cluster.CLUSTER_PORT}"]
        self.assert_ends(there, *ids)
        here.alone("put", "key", "serves on")

    def test_seeds_that_are_silent_are_waited_for_and_named(self):
        nodes = self.make_cluster(3)
        node, mute, absent = nodes.nodes
        # One takes connections and never answers; at the other nobody listens.
        with occupied(at(mute, cluster.CLUSTER_PORT), socket.SOCK_STREAM):
            node.start()
            said = re.compile(rf"^(\S+) I founding: .*no answer from .*{re.escape(mute.address)}"
                              rf":7700.*{re.escape(absent.address)}:7700", re.MULTILINE)
            cluster.wait_for(lambda: len(said.findall(node.log_text())) >= 3, 25,
                             "three lines that name the seeds")
        times = [seconds_of(stamp) for stamp in said.findall(node.log_text())]
        for earlier, later in zip(times, times[1:]):
            self.assertAlmostEqual((later - earlier) % 86400, SAYS_EVERY_S, delta=1)
        for run in (cluster.run_tool("nodetool", "-h", node.address, "status", check=False),
                    node.alone("get", "key", check=False)):
            self.assert_refused(run, "seeds")
        self.assertTrue(node.running)


def seconds_of(stamp):
    whole, fraction = stamp.split("T")[1].split(".")
    hours, minutes, seconds = whole.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


class WhileRunning(case.SharedClusterCase):
    settings = {"limits.value": f"{LIMIT}B", "gossip.push_pull_interval": "1s"}

    def setUp(self):
        self.node = self.cluster.node(1)
        self.before = self.node.memory_bytes()

    def tearDown(self):
        """Whatever the node was sent, all three serve on, and none of them has swollen."""
        for node in self.cluster.nodes:
            self.assertTrue(node.running, f"node {node.number} ended")
        self.starling("--consistency", "ALL", "put", "after", self._testMethodName)
        got = self.starling("--consistency", "ALL", "get", "after").stdout
        self.assertEqual(got.decode(), self._testMethodName)
        self.assertLess(self.node.memory_bytes() - self.before, 200 << 20)
        self.cluster.wait_whole()

    def assert_error_frame(self, answer, *words):
        self.assertIsNotNone(answer, "the connection stays open and nothing comes")
        self.assertGreaterEqual(len(answer), FRAME.size, answer)
        magic, kind, _, _, header, _, _ = FRAME.unpack_from(answer)
        self.assertEqual((magic, kind), (MAGIC, KIND_ERROR))
        said = answer[FRAME.size:FRAME.size + header].decode(errors="replace")
        for word in words:
            self.assertIn(word, said)

    def test_garbage_on_the_native_ports_is_answered_and_the_connection_closed(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        for port in (cluster.CLUSTER_PORT, cluster.CLIENT_PORT):
            for _ in range(50):
                garbage = chance.randbytes(chance.randrange(FRAME.size, 5000))
                self.assert_error_frame(talk(at(self.node, port), garbage))
            page = b"GET / HTTP/1.1\r\nHost: starling\r\nAccept: */*\r\n\r\n"
            self.assert_error_frame(talk(at(self.node, port), page), "native protocol")

    def test_another_protocol_is_refused_from_its_first_bytes(self):
        for port in (cluster.CLUSTER_PORT, cluster.CLIENT_PORT):
            self.assert_error_frame(talk(at(self.node, port), b"GET "), "native protocol")

    def test_who_says_no_hello_is_told_so_and_closed_but_not_a_redis_client(self):
        ports = (cluster.CLUSTER_PORT, cluster.CLIENT_PORT, cluster.RESP_PORT)
        silent = {port: socket.create_connection(at(self.node, port), timeout=15)
                  for port in ports}
        try:
            for port in ports[:2]:
                answer = b""
                while part := silent[port].recv(4096):  # Fails when nothing comes in time.
                    answer += part
                self.assert_error_frame(answer, "no hello")
            silent[cluster.RESP_PORT].sendall(b"PING\r\n")
            self.assertEqual(silent[cluster.RESP_PORT].recv(100), b"+PONG\r\n")
        finally:
            for one in silent.values():
                one.close()

    def test_frames_that_are_almost_right(self):
        for port in (cluster.CLUSTER_PORT, cluster.CLIENT_PORT):
            where = at(self.node, port)
            flags = FRAME.pack(MAGIC, KIND_PUT, 1, 7, 0, 0, 0)
            self.assert_error_frame(talk(where, flags), "flags")
            checksum = FRAME.pack(MAGIC, KIND_PUT, 0, 7, 0, 0, 1)
            self.assert_error_frame(talk(where, checksum), "checksum")

    def test_a_frame_that_announces_four_gigabytes(self):
        for port in (cluster.CLUSTER_PORT, cluster.CLIENT_PORT):
            where = at(self.node, port)
            payload = FRAME.pack(MAGIC, KIND_PUT, 0, 7, 0, 0xFFFFFFFF, 0)
            self.assert_error_frame(talk(where, payload), "4294967295", "payload")
            header = FRAME.pack(MAGIC, KIND_PUT, 0, 7, 0xFFFFFFFF, 0, 0)
            self.assert_error_frame(talk(where, header), "4294967295", "header")

    def test_garbage_on_the_redis_port(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        where = at(self.node, cluster.RESP_PORT)
        for wrong in (b"*3\r\n$abc\r\n", b"*2\r\n$3\r\nGET\r\n$4294967296\r\n", b"*99999999999\r\n",
                      b"*1\r\n$-5\r\n"):
            answer = talk(where, wrong)
            self.assertIsNotNone(answer, wrong)
            self.assertTrue(answer.startswith(b"-ERR"), (wrong, answer))
        for _ in range(50):
            # The last line asks for the end of the connection, if what came before has not.
            garbage = chance.randbytes(chance.randrange(1, 5000)).replace(b"*", b"x")
            answer = talk(where, b"x" + garbage + b"\r\nQUIT\r\n")
            self.assertIsNotNone(answer)
            self.assertTrue(answer.startswith(b"-ERR"), answer[:100])

    def test_garbage_as_datagrams(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(500):
                garbage = chance.randbytes(chance.randrange(0, 2000))
                if chance.random() < 0.5:
                    garbage = b"\x01" + garbage  # The version of gossip's messages.
                sender.sendto(garbage, at(self.node, cluster.CLUSTER_PORT))
        members = self.node.nodetool("gossipinfo")["members"]
        self.assertEqual(len(members), 3, "garbage made a member")

    def test_connections_that_say_nothing_or_half_of_it(self):
        half = FRAME.pack(MAGIC, KIND_PUT, 0, 7, 100, 0, 0)[:20]
        conns = []
        try:
            for number in range(60):
                port = (cluster.CLUSTER_PORT, cluster.CLIENT_PORT, cluster.RESP_PORT)[number % 3]
                conns.append(socket.create_connection(at(self.node, port), timeout=10))
                if number % 2:
                    conns[-1].sendall(half)
            self.node.alone("put", "beside", "x")
            self.assertEqual(self.node.alone("get", "beside").stdout, b"x")
        finally:
            for conn in conns:
                conn.close()

    def test_a_value_over_the_limit(self):
        self.starling("put", "at the limit", "v" * LIMIT)
        over = self.attempt("put", "over it", "v" * (LIMIT + 1))
        self.assert_refused(over, str(LIMIT), str(LIMIT + 1), "limits.value")
        self.assertEqual(self.attempt("get", "over it").returncode, 1)
        with socket.create_connection(at(self.node, cluster.RESP_PORT), timeout=10) as redis:
            value = b"v" * (LIMIT + 1)
            redis.sendall(b"*3\r\n$3\r\nSET\r\n$7\r\nover it\r\n"
                          b"$%d\r\n%s\r\n" % (len(value), value))
            self.assertTrue(redis.recv(1000).startswith(b"-"))
        self.assertEqual(self.attempt("get", "over it").returncode, 1)

    def test_values_and_keys_that_no_node_takes(self):
        huge = {"huge value": "v" * (17 << 20), "k" * (33 << 10): "x", "small": "x"}
        run = self.attempt("import", "-", "--format", "jsonl", stdin=case.to_jsonl(huge))
        self.assert_refused(run, "line 1", "line 2", "bytes")
        self.assertIn(b"1 imported", run.stdout)
        self.assertEqual(self.starling("get", "small").stdout, b"x")
        self.assert_refused(self.attempt("get", "k" * (70 << 10)), "key")

    def test_a_node_of_another_cluster(self):
        strangers = self.make_cluster(1, "strangers")
        stranger = strangers.node(1)
        stranger.seeds = [f"{self.node.address}:{cluster.CLUSTER_PORT}"]
        self.assert_one_line(stranger.run_to_end(), "starlingd", "strangers", self.cluster.name)
        self.assertIn("strangers", self.node.log_text())
        self.assertEqual(len(self.node.sees()), 3)


class Tools(case.SharedClusterCase):
    """What a person may mistype."""

    def subcommands(self, *tool):
        text = cluster.run_tool(*tool, "--help").stdout.decode()
        return re.findall(r"^  (\w+) ", text.split("Subcommands:")[1], re.MULTILINE)

    def assert_says(self, tool, arguments, *words):
        run = cluster.run_tool(tool, *arguments, check=False)
        with self.subTest(" ".join([tool, *arguments])[:200]):
            self.assert_one_line(run, tool, *words)

    def test_every_subcommand_refuses_what_it_does_not_know(self):
        commands = [("nodetool", name) for name in self.subcommands("nodetool")]
        commands += [("starling", name) for name in self.subcommands("starling")
                     if name != "keyspace"]
        commands += [("starling", "keyspace", name)
                     for name in self.subcommands("starling", "keyspace")]
        self.assertGreater(len(commands), 25)
        takes = {"put": "k v", "get": "k", "delete": "k", "exists": "k", "import": "-",
                 "create": "n --replication simple:3", "describe": "n", "getendpoints": "n k",
                 "why": "n k", "repair": "n", "verify": "n", "clearsnapshot": "--all",
                 "restore": "p", "declareabsent": "n"}
        any_number = ("snapshot", "restore")
        for tool, *command in commands:
            whole = [*command, *takes.get(command[-1], "").split()]
            self.assert_says(tool, [*whole, "--frobnicate"], "--frobnicate")
            if command[-1] not in any_number:
                self.assert_says(tool, [*whole, "surplus"], "surplus")
        for tool in ("nodetool", "starling"):
            self.assert_says(tool, [], "subcommand")
            self.assert_says(tool, ["frobnicate"], "frobnicate", "unknown subcommand")
        self.assert_says("nodetool", ["sttus"], "did you mean status?")
        self.assert_says("starling", ["puut", "k", "v"], "did you mean put?")
        self.assert_says("starling", ["keyspace", "crate"], "did you mean create?")
        self.assert_says("starling", ["--hosts", "a", "--hosts", "b", "ping"], "more than once")

    def test_what_is_missing_is_named(self):
        for command, missing in (("put", "KEY"), ("put key", "VALUE"), ("get", "KEY"),
                                 ("delete", "KEY"), ("exists", "KEY"), ("import", "FILE"),
                                 ("keyspace", "subcommand"), ("keyspace create", "NAME"),
                                 ("keyspace create name", "--replication"),
                                 ("keyspace describe", "NAME")):
            self.assert_says("starling", command.split(), missing)
        for command, missing in (("getendpoints", "KEYSPACE"), ("getendpoints default", "KEY"),
                                 ("why", "KEYSPACE"), ("why default", "KEY"),
                                 ("restore", "PATH"), ("clearsnapshot", "--all"),
                                 ("declareabsent", "NODE")):
            self.assert_says("nodetool", command.split(), missing)
        # Not KEY or VALUE: there are as many words as it takes.
        for tool, *command in (("starling", "put", "-dash", "v"), ("starling", "get", "-dash"),
                               ("nodetool", "getendpoints", "default", "-dash")):
            self.assert_says(tool, command, "'-dash' is an unknown flag", "write --")

    def test_values_that_make_no_sense(self):
        hosts = ["--hosts", self.cluster.hosts]
        folder = self.cluster.folder
        for arguments, words in (
                (["put", "", "x"], ["key is empty"]),
                (["put", "k", "v", "--ttl", "soon"], ["soon", "duration"]),
                (["put", "k", "v", "--ttl", "0s"], ["--ttl"]),
                (["put", "k", "v", "--ttl", "99999999d"], ["too large", "106751d"]),
                (["put", "k", "v", "--ttl", ""], ["duration"]),
                (["put", "k", "v", "--ttl", "7301d"], ["--ttl 7301d is too long", "7300d"]),
                (["get", ""], ["key is empty"]),
                (["delete", ""], ["key is empty"]),
                (["exists", ""], ["key is empty"]),
                (["--consistency", "MOST", "get", "k"], ["MOST", "QUORUM"]),
                (["--consistency", "", "get", "k"], ["''", "QUORUM"]),
                (["--keyspace", "nowhere", "get", "k"], ["nowhere"]),
                (["--keyspace", "nowhere", "export"], ["nowhere"]),
                (["--keyspace", "no\nwhere\x1b[2J", "get", "k"], [r"'no\nwhere\x1b[2J'"]),
                (["import", f"{folder}/none"], [f"{folder}/none", "No such file"]),
                (["import", "-", "--format", "xml"], ["xml", "jsonl"]),
                (["export", "--format", "xml"], ["xml", "jsonl"]),
                (["keyspace", "create", "n", "--replication", "three"], ["three", "simple:3"]),
                (["keyspace", "create", "n", "--replication", "simple:0"], ["simple:0"]),
                (["keyspace", "create", "n", "--replication", "mars:1"], ["mars", "dc1"]),
                (["keyspace", "create", "N n", "--replication", "simple:3"], ["N n"]),
                (["keyspace", "create", "n" * 100_000, "--replication", "simple:3"], ["name"])):
            self.assert_says("starling", [*hosts, *arguments], *words)
        host = ["-h", self.cluster.node(1).address]
        for arguments, words in (
                (["getendpoints", "nowhere", "k"], ["nowhere"]),
                (["getendpoints", "default", ""], ["key is empty"]),
                (["why", "nowhere", "k"], ["nowhere"]),
                (["why", "default", ""], ["key is empty"]),
                (["why", "default", "k" * 70_000], ["key"]),
                (["repair", "nowhere"], ["nowhere"]),
                (["repair", "nowhere", "--dry-run"], ["nowhere"]),
                (["flush", "default", "--dry-run"], ["default"]),
                (["compact", "default", "--dry-run"], ["default"]),
                (["drain", "default", "--dry-run"], ["default"]),
                (["verify", "--dry-run"], ["--dry-run"]),
                (["repairstatus", "--dry-run"], ["--dry-run"]),
                (["repair", "--deep"], ["--deep"]),
                (["quarantine", "list", "nowhere"], ["nowhere"]),
                (["snapshot", "-t", "a/b"], ["a/b", "letters"]),
                (["clearsnapshot", "-t", "a", "--all"], ["--all"]),
                (["restore", folder], [folder, "manifest.json"]),
                (["restore", f"{folder}/none"], [f"{folder}/none", "no snapshot"])):
            self.assert_says("nodetool", [*host, *arguments], *words)

    def test_an_import_of_what_is_no_file(self):
        run = self.attempt("import", self.cluster.folder)
        self.assert_refused(run, self.cluster.folder, "can't be read")

    def test_a_host_that_is_none_or_does_not_answer(self):
        absent = self.cluster.node(1).address.rsplit(".", 1)[0] + ".99"
        for name in self.subcommands("nodetool"):
            more = {"getendpoints": ["default", "k"], "why": ["default", "k"],
                    "keyring": ["list"], "clearsnapshot": ["--all"],
                    "restore": ["p"], "quarantine": ["list"], "declareabsent": ["n"]}.get(name, [])
            self.assert_says("nodetool", ["-h", absent, name, *more], absent, "refused")
        for command in ("put k v", "get k", "delete k", "exists k", "import -", "export", "ping",
                        "keyspace list", "keyspace describe default",
                        "keyspace create n --replication simple:3"):
            self.assert_says("starling", ["--hosts", absent, *command.split()], absent, "refused")
        for tool, option, command in (("starling", "--hosts", "ping"),
                                      ("nodetool", "-h", "status")):
            self.assert_says(tool, [option, "", command], "no host")
            self.assert_says(tool, [option, "no.such.host.invalid", command],
                             "no.such.host.invalid")
        self.assert_says("starling", ["--hosts", "127.0.0.1:99999", "ping"], "99999")
        self.assert_says("starling", ["--hosts", "[::1]:7701", "ping"], "[::1]:7701", "IPv6")
        self.assert_says("nodetool", ["-h", "127.0.0.1:7701", "status"], "more than one colon")
        for port in ("99999", "many", "0"):
            self.assert_says("nodetool", ["-p", port, "status"], port)

    def test_errors_as_json(self):
        host = self.cluster.node(1).address
        for tool, arguments in (("nodetool", ["-h", host, "--json", "why", "nowhere", "k"]),
                                ("starling", ["--hosts", host, "--json", "--keyspace", "nowhere",
                                              "get", "k"])):
            run = cluster.run_tool(tool, *arguments, check=False)
            self.assertEqual((run.returncode, run.stdout), (2, b""))
            self.assertRegex(run.stderr.decode(),
                             r'^{"error":{"code":"\w+","message":"[^"]*nowhere[^"]*"}}\n$')

    def test_a_command_line_that_is_wrong_is_told_as_json_if_it_asks_for_that(self):
        for tool, arguments, word in (
                ("starling", ["--json", "get", "k", "--frobnicate"], "--frobnicate"),
                ("starling", ["get", "--json"], "KEY"),
                ("starling", ["--json", "gte", "k"], "did you mean get?"),
                ("nodetool", ["--json", "status", "--frobnicate"], "--frobnicate"),
                ("nodetool", ["--json", "-p", "many", "status"], "many"),
                ("nodetool", ["sttus", "--json"], "did you mean status?")):
            with self.subTest(" ".join([tool, *arguments])):
                run = cluster.run_tool(tool, *arguments, check=False)
                self.assertEqual((run.returncode, run.stdout), (2, b""))
                error = json.loads(run.stderr)["error"]
                self.assertEqual(error["code"], "InvalidArgument")
                self.assertIn(word, error["message"])
        # Here it is a key, and no flag.
        self.assert_says("starling", ["get", "--", "--json", "surplus"], "surplus")


if __name__ == "__main__":
    unittest.main()
