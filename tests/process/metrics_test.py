"""Goal:   /metrics and /health say what a node does, and nothing that is sent there disturbs it.
Method: real nodes, scraped while they are loaded, drained, starting, and sent nonsense.
"""

import http.client
import json
import random
import re
import socket
import time
import unittest

import case
import cluster
import exposition

HTTP_PORT = 7703
DEADLINE_S = 5


def get(node, path, method="GET", body=None):
    conn = http.client.HTTPConnection(node.address, HTTP_PORT, timeout=10)
    try:
        conn.request(method, path, body=body)
        answer = conn.getresponse()
        return answer.status, answer.getheader("Content-Type"), answer.read().decode()
    finally:
        conn.close()


def scrape(node):
    status, kind, text = get(node, "/metrics")
    if (status, kind) != (200, "text/plain; version=0.0.4; charset=utf-8"):
        raise AssertionError(f"{status} {kind}: {text[:200]}")
    return exposition.parse(text)


def health(node):
    status, _, text = get(node, "/health")
    return status, json.loads(text)


def value(samples, name, **labels):
    return samples[(name, tuple(sorted(labels.items())))]


def send(node, data, seconds=10):
    """What comes back until the node closes; None if it does not in time."""
    with socket.create_connection((node.address, HTTP_PORT), timeout=seconds) as conn:
        answer = b""
        try:
            conn.sendall(data)
            while part := conn.recv(65536):
                answer += part
        except ConnectionError:
            pass
        except socket.timeout:
            return None
        return answer


class Format(unittest.TestCase):
    GOOD = ("# HELP a_total Help.\n# TYPE a_total counter\na_total{k=\"v\"} 1\n"
            "# HELP h_seconds Help.\n# TYPE h_seconds histogram\n"
            "h_seconds_bucket{le=\"1\"} 1\nh_seconds_bucket{le=\"+Inf\"} 2\n"
            "h_seconds_sum 5.5\nh_seconds_count 2\n")

    def test_the_checker_takes_what_is_right_and_refuses_each_mistake(self):
        self.assertEqual(exposition.parse(self.GOOD)[("a_total", (("k", "v"),))], 1)
        for right, wrong in (
                ("} 1\n# HELP h", "} NaN\n# HELP h"), ("counter", "gauge"),
                ("a_total{", "b_total{"),
                ("# HELP a_total Help.\n", ""), ("# TYPE a_total counter\n", ""),
                ("count 2", "count 3"), ('le="1"} 1', 'le="1"} 3'), ('{k="v"}', '{k="v",k="v"}'),
                ('{k="v"}', "{k=v}"), ("h_seconds_sum 5.5\n", ""), ("count 2\n", "count 2"),
                ('h_seconds_bucket{le="+Inf"} 2\n', ""), ("# HELP h", "junk\n# HELP h")):
            broken = self.GOOD.replace(right, wrong, 1)
            self.assertNotEqual(broken, self.GOOD)
            with self.subTest(wrong), self.assertRaises(exposition.Malformed):
                exposition.parse(broken)


class Metrics(case.SharedClusterCase):
    @property
    def node(self):
        return self.cluster.node(1)

    def test_numbers_move_by_what_was_done(self):
        before = scrape(self.node)
        for number in range(20):
            self.node.alone("put", f"key {number}", "value")
        for number in range(10):
            self.node.alone("get", f"key {number}")
        after = scrape(self.node)

        def moved(name, **labels):
            return value(after, name, **labels) - value(before, name, **labels)

        requests = "starling_client_requests_total"
        self.assertEqual(moved(requests, kind="put", outcome="ok"), 20)
        self.assertEqual(moved(requests, kind="get", outcome="ok"), 10)
        self.assertEqual(moved(requests, kind="put", outcome="timeout"), 0)
        took = "starling_client_request_duration_seconds"
        self.assertEqual(moved(took + "_count", kind="put"), 20)
        self.assertGreater(moved(took + "_sum", kind="put"), 0)
        self.assertLess(moved(took + "_sum", kind="put"), 40)
        self.assertGreaterEqual(moved("starling_replica_writes_total"), 20)
        self.assertGreater(moved("starling_engine_wal_syncs_total"), 0)
        self.assertGreater(moved("starling_engine_wal_bytes_total"), 20 * len("value"))
        self.assertEqual(value(after, "starling_gossip_members", state="alive"), 2)
        self.assertGreater(moved("starling_gossip_datagrams_total", direction="out"), 0)
        self.assertEqual(value(after, "starling_healthy"), 1)
        self.assertEqual(value(after, "starling_topology_epoch"), 1)
        self.assertGreaterEqual(value(after, "starling_keyspace_entries", keyspace="default"), 20)
        memory = value(after, "process_resident_memory_bytes")
        self.assertLess(abs(memory - self.node.memory_bytes()), 64 << 20)
        self.assertGreater(value(after, "process_open_fds"), 10)

    def test_every_metric_is_in_the_manual(self):
        with open(f"{cluster.ROOT}/docs/operations.md", encoding="utf-8") as file:
            manual = set(re.findall(r"`((?:starling|process)_[a-z_]+)`", file.read()))
        _, _, text = get(self.node, "/metrics")
        families = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
        self.assertEqual(families - manual, set(), "not in docs/operations.md")
        self.assertEqual(manual - families, set(), "no longer there")

    def test_scrapes_during_load_are_whole_and_counters_never_fall(self):
        load = case.rows(3000, prefix="load")
        last = {}
        importer = cluster.spawn([cluster.program("starling"), "--hosts", self.cluster.hosts,
                                  "import", self.rows_file(load), "--format", "jsonl"], None)
        while importer.poll() is None:
            samples = scrape(self.node)
            for key, number in samples.items():
                if key[0].endswith("_total"):
                    self.assertGreaterEqual(number, last.get(key, 0), key)
            last = samples
        self.assertEqual(importer.returncode, 0)

    def rows_file(self, rows):
        path = f"{self.cluster.folder}/rows.jsonl"
        with open(path, "wb") as file:
            file.write(case.to_jsonl(rows))
        return path

    def test_other_paths_and_methods_are_refused(self):
        self.assertEqual(get(self.node, "/")[0], 404)
        self.assertEqual(get(self.node, "/metrics/x")[0], 404)
        self.assertEqual(get(self.node, "/metrics?format=text")[0], 200)
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            self.assertEqual(get(self.node, "/metrics", method)[0], 405, method)

    def test_head_is_answered_as_get_without_the_body(self):
        conn = http.client.HTTPConnection(self.node.address, HTTP_PORT, timeout=10)
        for path, status in (("/health", 200), ("/metrics", 200), ("/", 404), ("/health", 200)):
            conn.request("HEAD", path)
            answer = conn.getresponse()
            self.assertEqual(answer.status, status, path)
            self.assertGreater(int(answer.headers["Content-Length"]), 0)
            self.assertEqual(answer.read(), b"")
        conn.request("GET", "/health")  # On the same connection: no body was left on it.
        self.assertEqual(conn.getresponse().status, 200)

    def test_a_connection_is_used_again(self):
        conn = http.client.HTTPConnection(self.node.address, HTTP_PORT, timeout=10)
        for _ in range(5):
            conn.request("GET", "/health")
            self.assertEqual(json.loads(conn.getresponse().read())["status"], "ok")
        conn.close()
        pipelined = send(self.node, b"GET /health HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n"
                                    b"Connection: close\r\n\r\n")
        self.assertEqual(pipelined.count(b"HTTP/1.1 200 OK"), 2)
        self.assertIn(b"starling_build_info", pipelined)

    def test_garbage_and_what_is_too_large_is_refused(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        for _ in range(50):
            answer = send(self.node, b"\x00" + chance.randbytes(chance.randrange(1, 20_000)))
            self.assertIsNotNone(answer)
        self.assertIn(b"400", send(self.node, b"\x16\x03\x01 not HTTP\r\n\r\n").split(b"\r\n")[0])
        large = send(self.node, b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n")
        self.assertTrue(large is not None and b"431" in large.split(b"\r\n")[0], large)
        body = send(self.node, b"GET /health HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        self.assertIn(b"400", body.split(b"\r\n")[0])
        self.assertEqual(health(self.node)[0], 200)

    def test_slow_and_half_requests_end_at_the_deadline_and_the_node_serves_on(self):
        slow = [socket.create_connection((self.node.address, HTTP_PORT), timeout=10)
                for _ in range(10)]
        for conn in slow[:5]:
            conn.sendall(b"GET /metr")
        began = time.monotonic()
        self.node.alone("put", "beside", "x")
        self.assertEqual(health(self.node)[0], 200)
        for conn in slow:
            self.assertEqual(conn.recv(100), b"")
            conn.close()
        self.assertLess(time.monotonic() - began, DEADLINE_S + 3)

    def test_idle_connections_keep_nobody_out(self):
        conns = [socket.create_connection((self.node.address, HTTP_PORT), timeout=10)
                 for _ in range(40)]
        began = time.monotonic()
        self.assertEqual(health(self.node)[0], 200)
        # The last one, which was idle for the shortest time, is served as well.
        conns[-1].sendall(b"GET /health HTTP/1.1\r\n\r\n")
        self.assertIn(b"200 OK", conns[-1].recv(1000))
        self.assertLess(time.monotonic() - began, DEADLINE_S)
        closed = []
        for conn in conns:
            conn.setblocking(False)
            try:
                closed.append(conn.recv(100) == b"")
            except BlockingIOError:
                closed.append(False)
        for conn in conns:
            conn.close()
        # 8 for the last of the 40, and one for the first question; of those that came in one moment
        # whichever.
        self.assertEqual((sum(closed), closed[-1]), (9, False))


class Health(case.ClusterCase):
    def test_503_with_the_reason_while_starting_and_when_drained(self):
        nodes = self.make_cluster(2)
        one, two = nodes.nodes
        one.start()
        cluster.wait_for(lambda: self.reason(one).startswith("starting"), 20, "node 1 to say so")
        self.assertEqual(value(scrape(one), "starling_healthy"), 0)
        two.start()
        nodes.wait_whole(40)
        cluster.wait_for(lambda: health(one)[0] == 200, 20, "node 1 to be healthy")
        self.assertEqual(health(one)[1]["epoch"], 1)
        one.nodetool("drain")
        self.assertEqual(health(one)[0], 503)
        self.assertIn("draining", health(one)[1]["reason"])
        self.assertEqual(value(scrape(one), "starling_healthy"), 0)

    def reason(self, node):
        try:
            status, said = health(node)
        except OSError:
            return ""
        return said["reason"] if status == 503 else ""

    def test_port_0_is_none(self):
        nodes = self.start_cluster(1, ports_metrics=0)
        with self.assertRaises(OSError):
            get(nodes.node(1), "/health")
        self.assertEqual(nodes.node(1).alone("put", "a", "b").returncode, 0)


if __name__ == "__main__":
    unittest.main()
