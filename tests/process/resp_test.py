"""Goal:   Redis's own tools and clients work on the RESP port as they come: each command's reply,
        pipelines in order, bytes of any kind, and a reason where something can't be done.
Method: redis-cli and redis-benchmark, and plain sockets for what bytes come back, on real nodes.
"""

import os
import random
import re
import socket
import subprocess
import time
import unittest

import case
import cluster

MIB = 1 << 20


class Redis:
    """A connection that knows RESP2: integers, bytes, None, lists; an Error is returned."""

    class Error(str):
        pass

    def __init__(self, node, seconds=20):
        self._socket = socket.create_connection((node.address, cluster.RESP_PORT), timeout=seconds)
        self._received = self._socket.makefile("rb")

    def close(self):
        self._received.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self._socket.sendall(data)

    def limit_wait(self, seconds):
        self._socket.settimeout(seconds)

    def reply(self):
        line = self._received.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the connection ended; the last it said: {line!r}")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Redis.Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            data = self._received.read(int(rest) + 2)
            return data[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        raise AssertionError(f"no RESP: {line!r}")

    def ask(self, *words):
        self.send(encode(*words))
        return self.reply()


def encode(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


def redis_tool(name, node, *arguments, stdin=b"", seconds=60):
    run = subprocess.run([name, "-h", node.address, "-p", str(cluster.RESP_PORT), *arguments],
                         input=stdin, capture_output=True, check=False, timeout=seconds)
    if run.returncode != 0:
        raise AssertionError(f"{name} {arguments}: exit status {run.returncode}: "
                             f"{(run.stderr or run.stdout)[-500:]}")
    return run.stdout.decode()


class Commands(case.SharedClusterCase):
    def setUp(self):
        self.redis = Redis(self.cluster.node(1))
        self.addCleanup(self.redis.close)

    def assert_error(self, reply, *parts):
        self.assertIsInstance(reply, Redis.Error)
        for part in parts:
            self.assertIn(part, reply)

    def test_strings(self):
        ask = self.redis.ask
        self.assertEqual(ask("SET", "s", "one"), "OK")
        self.assertEqual(ask("GET", "s"), b"one")
        self.assertEqual(ask("SET", "s", ""), "OK")
        self.assertEqual(ask("GET", "s"), b"")
        self.assertIsNone(ask("GET", "s-absent"))
        self.assertEqual(ask("MSET", "s1", "1", "s2", "2", "s1", "3"), "OK")
        self.assertEqual(ask("MGET", "s1", "s-absent", "s2"), [b"3", None, b"2"])
        self.assertEqual(ask("EXISTS", "s1", "s1", "s-absent"), 2)
        self.assertEqual(ask("DEL", "s1", "s1", "s2", "s-absent"), 2)
        self.assertEqual(ask("MGET", "s1", "s2"), [None, None])

    def test_time_to_live(self):
        ask = self.redis.ask
        self.assertEqual(ask("SET", "t", "x", "EX", "100"), "OK")
        self.assertIn(ask("TTL", "t"), (99, 100))
        self.assertTrue(90_000 < ask("PTTL", "t") <= 100_000)
        self.assertEqual(ask("SET", "t", "x"), "OK")
        self.assertEqual(ask("TTL", "t"), -1)
        self.assertEqual(ask("TTL", "t-absent"), -2)
        self.assertEqual(ask("SET", "t", "x", "PX", "300"), "OK")
        cluster.wait_for(lambda: ask("GET", "t") is None, 20, "expiry")
        self.assertEqual((ask("EXISTS", "t"), ask("PTTL", "t")), (0, -2))

    def test_what_tools_ask_of_a_server(self):
        ask = self.redis.ask
        self.assertEqual(ask("PING"), "PONG")
        self.assertEqual(ask("PING", "x"), b"x")
        self.assertEqual(ask("ECHO", "x"), b"x")
        self.assertEqual(ask("SELECT", "0"), "OK")
        self.assert_error(ask("SELECT", "1"), "ERR DB index is out of range")
        self.assertEqual(ask("CONFIG", "GET", "save"), [b"save", b""])
        self.assertEqual(ask("CONFIG", "GET", "appendonly"), [b"appendonly", b"yes"])
        self.assertEqual(ask("COMMAND", "DOCS"), [])
        self.assertEqual(ask("COMMAND", "COUNT"), len(ask("COMMAND")))
        self.assertEqual(ask("CLIENT", "SETNAME", "me"), "OK")
        self.assertEqual(ask("CLIENT", "GETNAME"), b"me")
        self.assertEqual(ask("CLIENT", "SETINFO", "LIB-NAME", "x"), "OK")
        self.assertIn(b"proto", ask("HELLO", "2"))
        self.assert_error(ask("HELLO", "3"), "NOPROTO")
        info = ask("INFO").decode()
        self.assertIn(f"starling_cluster:{self.cluster.name}\r\n", info)
        self.assertIn("nodes_up:3\r\n", info)

    def test_each_connection_has_an_id_of_its_own(self):
        connections = [Redis(node) for node in self.cluster.nodes[:1] * 12]
        ids = [one.ask("CLIENT", "ID") for one in connections]
        for one in connections:
            one.close()
        self.assertEqual(len(set(ids)), 12)

    def test_refusals_tell_the_reason(self):
        ask = self.redis.ask
        self.assert_error(ask("GET"), "ERR wrong number of arguments for 'get' command")
        self.assert_error(ask("SET", "k", "v", "EX", "0"), "invalid expire time in 'set' command")
        for words in (("SET", "k", "v", "NX"), ("INCR", "k"), ("APPEND", "k", "v"),
                      ("EXPIRE", "k", "1")):
            self.assert_error(ask(*words), words[3] if len(words) > 3 else words[0].lower(),
                              "atomic read-modify-write")
        self.assertEqual(ask("LPUSH", "k", "v"), "ERR unknown command 'LPUSH', with args beginning "
                                                 "with: 'k' 'v' ")
        self.assert_error(ask("GET", "k" * 40_000), "40000 bytes")
        self.assertEqual(ask("PING"), "PONG")

    def test_bytes_of_any_kind_go_through_each_node_and_both_protocols(self):
        value = bytes(range(256)) * 20
        for writer in self.cluster.nodes:
            key = b"bin\r\n\x00\xff%d" % writer.number
            with Redis(writer) as redis:
                self.assertEqual(redis.ask("SET", key, value), "OK")
            for reader in self.cluster.nodes:
                with Redis(reader) as redis:
                    self.assertEqual(redis.ask("GET", key), value)
        self.redis.ask("SET", "native", value)
        self.assertEqual(self.starling("get", "native").stdout, value)
        self.starling("put", "from-native", "ü")
        self.assertEqual(self.redis.ask("GET", "from-native"), "ü".encode())

    def test_a_large_value_goes_in_and_out(self):
        value = random.Random(1).randbytes(16 * MIB)
        self.assertEqual(self.redis.ask("SET", "large", value), "OK")
        self.assertEqual(self.redis.ask("GET", "large"), value)
        self.assertEqual(self.redis.ask("DEL", "large"), 1)


class Streams(case.SharedClusterCase):
    def test_a_pipeline_is_answered_in_order_as_if_run_one_by_one(self):
        chance = random.Random(20)
        model, requests, expected = {}, [], []
        for number in range(4000):
            key = f"p{chance.randrange(50)}"
            match chance.randrange(5):
                case 0 | 1:
                    model[key] = str(number).encode()
                    requests.append(encode("SET", key, number))
                    expected.append("OK")
                case 2:
                    requests.append(encode("GET", key))
                    expected.append(model.get(key))
                case 3:
                    requests.append(encode("DEL", key))
                    expected.append(int(model.pop(key, None) is not None))
                case _:
                    keys = [f"p{chance.randrange(50)}" for _ in range(5)]
                    requests.append(encode("MGET", *keys))
                    expected.append([model.get(one) for one in keys])
        stream = b"".join(requests)
        with Redis(self.cluster.node(1)) as redis:
            at = 0
            while at < len(stream):
                size = chance.choice((1, 7, 100, 20_000))
                redis.send(stream[at:at + size])
                at += size
            for number, wanted in enumerate(expected):
                self.assertEqual(redis.reply(), wanted, f"reply {number}")

    def test_requests_of_thousands_of_keys_gather(self):
        pairs = {f"many{number}": str(number) for number in range(20_000)}
        with Redis(self.cluster.node(2)) as redis:
            self.assertEqual(redis.ask("MSET", *(x for pair in pairs.items() for x in pair)), "OK")
            self.assertEqual(redis.ask("MGET", *pairs), [x.encode() for x in pairs.values()])
            self.assertEqual(redis.ask("EXISTS", *pairs), len(pairs))
            self.assertEqual(redis.ask("DEL", *pairs), len(pairs))
            self.assertEqual(redis.ask("EXISTS", *pairs), 0)

    def test_a_line_typed_by_hand_is_a_request(self):
        with Redis(self.cluster.node(1)) as redis:
            redis.send(b"SET line \"a b\"\r\nget line\n\r\nQUIT\r\nPING\r\n")
            self.assertEqual([redis.reply() for _ in range(3)], ["OK", b"a b", "OK"])
            with self.assertRaises(EOFError):
                redis.reply()

    def test_a_client_that_ends_behind_its_last_request_has_its_answers(self):
        with socket.create_connection((self.cluster.node(1).address, cluster.RESP_PORT),
                                      timeout=20) as conn:
            conn.sendall(b"SET half 1\r\nGET half\r\nGET none\r\n")
            conn.shutdown(socket.SHUT_WR)
            with conn.makefile("rb") as answers:
                self.assertEqual(answers.read(), b"+OK\r\n$1\r\n1\r\n$-1\r\n")

    def test_what_is_no_redis_gets_an_error_and_the_end(self):
        for stream, why in ((b"*x\r\n", "invalid multibulk length"),
                            (b"*1\r\n$-5\r\n", "invalid bulk length"),
                            (b"*1\r\n$4294967296\r\n", "invalid bulk length"),
                            (b"*2\r\n+GET\r\n", "expected '$', got '+'"),
                            (b"GET \"k\r\n", "unbalanced quotes"),
                            (b"x" * 70_000, "too big inline request")):
            with Redis(self.cluster.node(1)) as redis:
                redis.send(stream)
                self.assertRegex(redis.reply(), f"^ERR Protocol error: {re.escape(why)}")
                with self.assertRaises(EOFError):
                    redis.reply()
        with Redis(self.cluster.node(1)) as redis:
            self.assertEqual(redis.ask("PING"), "PONG")

    def test_a_client_that_takes_no_answers_is_not_read_from(self):
        node = self.cluster.node(1)
        value = os.urandom(MIB)
        with Redis(node) as redis, Redis(node) as other:
            redis.ask("SET", "unread", value)
            before = node.memory_bytes()
            asked = 0
            redis.limit_wait(2)
            try:
                for asked in range(20_000):  # 20 GB of answers, if it were read from.
                    redis.send(encode("GET", "unread") + encode("ECHO", "x" * 10_000))
            except TimeoutError:
                pass
            self.assertLess(asked, 19_999, "the node read on and on")
            grown = node.memory_bytes() - before
            self.assertLess(grown, 200 * MIB)
            self.assertEqual(other.ask("PING"), "PONG")
            redis.limit_wait(20)
            for _ in range(asked):
                self.assertEqual(redis.reply(), value)
                self.assertEqual(len(redis.reply()), 10_000)


class Tools(case.SharedClusterCase):
    def test_redis_cli_sets_and_gets(self):
        node = self.cluster.node(1)
        self.assertEqual(redis_tool("redis-cli", node, "set", "cli", "value"), "OK\n")
        self.assertEqual(redis_tool("redis-cli", self.cluster.node(3), "get", "cli"), "value\n")
        self.assertEqual(redis_tool("redis-cli", node, "del", "cli", "cli-absent"), "1\n")
        self.assertIn("unknown command 'foo'", redis_tool("redis-cli", node, "foo"))

    def test_redis_cli_loads_a_stream(self):
        stream = b"".join(encode("SET", f"bulk{number}", number) for number in range(5000))
        told = redis_tool("redis-cli", self.cluster.node(2), "--pipe", stdin=stream)
        self.assertIn("errors: 0, replies: 5000", told)
        with Redis(self.cluster.node(1)) as redis:
            self.assertEqual(redis.ask("EXISTS", *(f"bulk{n}" for n in range(5000))), 5000)

    def test_redis_benchmark_runs_as_it_comes(self):
        told = redis_tool("redis-benchmark", self.cluster.node(1), "-t", "set,get,mset",
                          "-n", "2000", "-c", "20", "-P", "4", "-q", seconds=120)
        last = [line.split("\r")[-1] for line in told.split("\n") if line.strip()]
        self.assertEqual([line.split(":")[0].strip() for line in last],
                         ["SET", "GET", "MSET (10 keys)"], told)
        for line in last:
            self.assertRegex(line, r": [\d.]+ requests per second, p50=[\d.]+ msec")
        with Redis(self.cluster.node(2)) as redis:
            self.assertEqual(redis.ask("GET", "key:__rand_int__"), b"VXK")


class Troubles(case.ClusterCase):
    def test_without_a_majority_the_reason_is_told_and_nothing_else_suffers(self):
        nodes = self.start_cluster(name="resp-minority")
        first, second, third = nodes.nodes
        with Redis(first) as redis:
            self.assertEqual(redis.ask("SET", "k", "v"), "OK")
            second.kill()
            self.assertEqual(redis.ask("GET", "k"), b"v")
            third.kill()
            nodes.wait_seen({second: "DN", third: "DN"}, 20, by=[first])
            for words in (("GET", "k"), ("SET", "k", "w"), ("MGET", "k", "l"), ("DEL", "k")):
                reply = redis.ask(*words)
                self.assertIsInstance(reply, Redis.Error)
                # A suspect is D, and still asked until others find it silent as well.
                self.assertRegex(reply, "^TRYAGAIN Unavailable: .*QUORUM.*"
                                        "(2 of 3|1 of 3 replicas answered, 2 needed)")
            self.assertEqual(redis.ask("PING"), "PONG")

    def test_a_node_that_waits_for_its_seeds_says_that_it_is_loading(self):
        nodes = self.make_cluster(3, name="resp-loading")
        node = nodes.node(1)
        node.start()

        def listens():
            try:
                Redis(node).close()
            except OSError:
                return False
            return True

        cluster.wait_for(listens, 20, "the RESP port")
        with Redis(node) as redis:
            self.assertRegex(redis.ask("GET", "k"), "^LOADING ")
            self.assertEqual(redis.ask("PING"), "PONG")
            for other in nodes.nodes[1:]:
                other.start()
            nodes.wait_whole()
            self.assertEqual(redis.ask("SET", "k", "v"), "OK")

    def test_another_keyspace_and_level_are_taken_from_the_configuration(self):
        nodes = self.start_cluster(1, name="resp-settings", resp_keyspace="apart",
                                   resp_consistency="ONE")
        node = nodes.node(1)
        with Redis(node) as redis:
            self.assertRegex(redis.ask("GET", "k"), "there is no keyspace 'apart'")
            node.alone("keyspace", "create", "apart", "--replication", "simple:1")
            self.assertEqual(redis.ask("SET", "k", "v"), "OK")
            self.assertIn(b"consistency:ONE\r\n", redis.ask("INFO", "cluster"))
        self.assertEqual(node.alone("--keyspace", "apart", "get", "k").stdout, b"v")

    def test_a_write_that_was_answered_survives_kill_9_of_its_node(self):
        nodes = self.start_cluster(name="resp-killed")
        node = nodes.node(1)
        with Redis(node) as redis:
            for number in range(200):
                self.assertEqual(redis.ask("SET", f"k{number}", number), "OK")
        node.kill()
        with Redis(nodes.node(2)) as redis:
            deadline = time.monotonic() + 20
            for number in range(200):
                value = redis.ask("GET", f"k{number}")
                while isinstance(value, Redis.Error) and time.monotonic() < deadline:
                    value = redis.ask("GET", f"k{number}")
                self.assertEqual(value, str(number).encode())


if __name__ == "__main__":
    unittest.main()
