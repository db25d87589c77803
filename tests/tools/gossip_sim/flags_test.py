"""Goal:   gossip-sim does what its users type, and refuses the rest in one clear line.
Method: run the program, and look at its exit status and both of its streams.
"""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGRAM = sys.argv.pop(1)
LIMIT_S = 120


def run(*flags):
    return subprocess.run([PROGRAM, *flags], check=False, capture_output=True, text=True,
                          timeout=LIMIT_S)


class Flags(unittest.TestCase):
    def refused(self, *flags):
        """The one line on stderr."""
        done = run(*flags)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\Agossip-sim: [^\n]+\n\Z")
        return done.stderr

    def test_a_rumor_ends_with_the_line_that_says_so(self):
        done = run("rumor", "--nodes", "50", "--fanout", "2", "--key", "config_param",
                   "--value", "enable_cache=true")
        self.assertEqual(done.returncode, 0, done.stderr)
        last = done.stdout.rstrip("\n").split("\n")[-1]
        self.assertRegex(last, r"\AUpdate fully converged to all 50 nodes in \d+ rounds\.\Z")
        self.assertIn("config_param = enable_cache=true", done.stdout)

    def test_the_same_seed_prints_the_same(self):
        self.assertEqual(run("rumor", "--seed", "7").stdout, run("rumor", "--seed", "7").stdout)

    def test_the_other_variant_says_how_many_it_reached(self):
        done = run("rumor", "--nodes", "200", "--fanout", "1", "--variant", "feedback-counter")
        self.assertRegex(done.stdout, r"reached \d+ of 200 nodes in \d+ rounds\.\n\Z")

    def test_many_runs_give_a_distribution_and_a_csv(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "runs.csv")
            done = run("rumor", "--runs", "100", "--csv", file)
            self.assertRegex(done.stdout, r"rounds +mean \d+\.\d+ +p50 \d+ +p99 \d+ +max \d+")
            with open(file, encoding="utf-8") as lines:
                self.assertEqual(len(lines.readlines()), 101)

    def test_a_rumor_is_written_in_three_formats(self):
        with tempfile.TemporaryDirectory() as folder:
            files = {kind: os.path.join(folder, f"rumor.{kind}") for kind in ("csv", "json", "svg")}
            done = run("rumor", "--variant", "starling", "--loss", "0.1", "--runs", "20",
                       "--csv", files["csv"], "--json", files["json"], "--svg", files["svg"])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr, "")  # No progress: that is no terminal.
            with open(files["json"], encoding="utf-8") as text:
                report = json.load(text)
            self.assertEqual(report["complete"], 1)
            self.assertGreater(report["seconds"]["p99"], 0)
            title = xml.etree.ElementTree.parse(files["svg"]).find(
                "{http://www.w3.org/2000/svg}title")
            self.assertEqual(title.text, "One rumor, 50 nodes: starling")
            with open(files["csv"], encoding="utf-8") as lines:
                third = lines.readlines()[3].split(",")
            # Each run can be played alone, by its seed.
            alone = run("rumor", "--variant", "starling", "--loss", "0.1", "--seed", third[1])
            self.assertIn(f"reached {third[3]} of 50 nodes in {third[2]} rounds", alone.stdout)

    def test_every_variant_goes_in_every_direction(self):
        for variant in ("naive", "feedback-counter", "feedback-coin", "blind-counter",
                        "blind-coin"):
            for direction in ("push", "pull", "push-pull"):
                with self.subTest(f"{variant} {direction}"):
                    done = run("rumor", "--variant", variant, "--direction", direction)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn(f"{variant} {direction}", done.stdout)

    def test_swim_writes_its_report(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "swim.json")
            done = run("swim", "--nodes", "8", "--loss", "0.05", "--kill", "1", "--duration", "60s",
                       "--seed", "3", "--json", file)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(file, encoding="utf-8") as text:
                report = json.load(text)
        self.assertEqual(report["not_all_knew"], 0)
        self.assertGreater(report["all_know_s"]["max"], 0)
        self.assertTrue(re.search(r"first suspect +\d", done.stdout))

    def test_swim_writes_a_line_of_csv_a_size(self):
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, name) for name in ("swim.csv", "swim.json")]
            done = run("swim", "--nodes", "4,8", "--kill", "1", "--duration", "20s", "--sealed",
                       "--csv", files[0], "--json", files[1])
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(files[0], encoding="utf-8", newline="") as text:
                lines = list(csv.DictReader(text))
            with open(files[1], encoding="utf-8") as text:
                reports = json.load(text)
        self.assertEqual([line["nodes"] for line in lines], ["4", "8"])
        for line, report in zip(lines, reports, strict=True):
            self.assertEqual(float(line["all_know_s_p99"]), report["all_know_s"]["p99"])
            self.assertEqual(float(line["bytes_per_node_s"]), report["bytes_per_node_s"])
            self.assertEqual(line["halves_agreed"], "")  # There was no partition.
            self.assertEqual(line["all_know_s_count"], "1")
            self.assertEqual(line["all_know_s_missing"], "0")
            self.assertEqual(line["mode"], "starling")

    def test_a_run_is_replayed_with_the_same_flags(self):
        course = ("--nodes", "8", "--kill", "1", "--duration", "20s")
        report = run("swim", *course, "--seed", "3")
        story = run("replay", "3", *course)
        self.assertEqual(story.returncode, 0, story.stderr)
        self.assertIn(" is killed\n", story.stdout)
        self.assertTrue(story.stdout.endswith(report.stdout))  # The same course.
        lines = [json.loads(line) for line in
                 run("replay", "3", *course, "--json-lines").stdout.splitlines()]
        killed = next(line["node"] for line in lines if line["what"] == "is killed")
        of_one = run("replay", "3", *course, "--member", str(killed)).stdout
        self.assertIn(f"holds node {killed} for dead", of_one)
        self.assertIn("--member", self.refused("replay", "3", *course, "--member", "8"))
        self.assertIn("seed", self.refused("replay"))
        self.assertIn("seed: '-1' is no number", self.refused("replay", "-1"))
        self.assertIn("seed: '1e3' is no number", self.refused("replay", "1e3"))

    def test_a_report_says_how_to_play_it_again(self):
        courses = (("--loss", "0.15", "--pause", "2", "--pause-for", "3.5s", "--pause-again", "1s",
                    "--wakes-to", "timers",
                    "--one-way", "3", "--restart-all", "--boot-within", "1500ms", "--join", "3",
                    "--partition", "20s", "--churn", "5s", "--churn-for", "4s",
                    "--probe-interval", "900ms", "--ack-timeout", "250ms",
                    "--suspicion-timeout", "3s", "--data-connections", "--data-peers", "4",
                    "--sealed", "--changing-load", "--seed", "18446744073709551615"),
                   ("--mode", "lifeguard", "--death", "host", "--restart"))
        for course in courses:
            with self.subTest(" ".join(course)), tempfile.TemporaryDirectory() as folder:
                files = [os.path.join(folder, name) for name in ("first.json", "again.json")]
                reports = []
                words = ["swim", "--nodes", "8", "--kill", "1", "--duration", "10s", *course]
                for file in files:
                    done = run(*words, "--json", file)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    with open(file, encoding="utf-8") as text:
                        reports.append(json.load(text))
                    program, *words = reports[-1]["command"].split()
                    self.assertEqual(program, "gossip-sim")
                self.assertEqual(reports[0], reports[1])
                self.assertNotEqual(reports[0]["trace_hash"], "0" * 16)

    def test_who_did_not_agree_in_time_are_the_failure_of_the_run(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "swim.json")
            done = run("swim", "--nodes", "10", "--kill", "0", "--loss", "0.95", "--duration", "1s",
                       "--restart", "--json", file)
            self.assertEqual(done.returncode, 2)
            self.assertEqual(done.stderr, "gossip-sim: 10 nodes, seed 1: all did not agree within "
                                          "300 s after the last boot\n")
            self.assertIn("all did not agree within 300 s after the last boot", done.stdout)
            with open(file, encoding="utf-8") as text:
                self.assertIs(json.load(text)["restart_agreed"], False)

    def test_swim_plots_one_run_or_several_sizes(self):
        with tempfile.TemporaryDirectory() as folder:
            svg, file = os.path.join(folder, "swim.svg"), os.path.join(folder, "swim.json")
            for sizes, title in (("8", "SWIM, 8 nodes"), ("4,8,16", "SWIM by size")):
                done = run("swim", "--nodes", sizes, "--duration", "20s", "--svg", svg,
                           "--json", file)
                self.assertEqual(done.returncode, 0, done.stderr)
                drawn = xml.etree.ElementTree.parse(svg).find("{http://www.w3.org/2000/svg}title")
                self.assertEqual(drawn.text, title)
            with open(file, encoding="utf-8") as text:
                self.assertEqual([report["nodes"] for report in json.load(text)], [4, 8, 16])

    def test_help_lists_the_flags(self):
        done = run("swim", "--help")
        self.assertEqual(done.returncode, 0)
        for flag in ("--nodes", "--loss", "--kill", "--duration", "--seed", "--json"):
            self.assertIn(flag, done.stdout)
        for command in ("swim", "rumor"):  # 1 is refused.
            self.assertIn("from 0 to below 1", " ".join(run(command, "--help").stdout.split()))

    def test_what_is_not_known_is_refused_by_name(self):
        self.assertIn("--bogus", self.refused("rumor", "--bogus", "3"))
        self.assertIn("gossip", self.refused("gossip"))
        self.assertIn("--variant", self.refused("rumor", "--variant", "none"))
        self.assertIn("subcommand", self.refused())

    def test_values_that_can_not_be_are_refused_by_name(self):
        for flags in (("rumor", "--nodes", "0"), ("rumor", "--nodes", "-1"),
                      ("rumor", "--nodes", "5x"), ("rumor", "--nodes", "1000000000"),
                      ("rumor", "--fanout", "0"), ("rumor", "--counter", "0"),
                      ("rumor", "--loss", "nan"), ("rumor", "--loss", "1"),
                      ("rumor", "--loss", "-0.1"), ("rumor", "--direction", "sideways"),
                      ("rumor", "--direction", "pull", "--variant", "starling"),
                      ("rumor", "--runs", "0"), ("rumor", "--seed", "x"), ("rumor", "--key"),
                      ("rumor", "--counter", "3", "--variant", "naive"),
                      ("rumor", "--counter", "2"),
                      ("rumor", "--direction", "push", "--variant", "starling"),
                      ("rumor", "--seed", "-1"), ("rumor", "--seed", "123456789012345678901234"),
                      ("swim", "--seed", "-1"), ("swim", "--seed", "18446744073709551616"),
                      ("swim", "--nodes", "10,"), ("swim", "--nodes", ",10"),
                      ("swim", "--nodes", "10,,20"), ("swim", "--nodes", ""),
                      ("swim", "--one-way", "100000", "--nodes", "3"),
                      ("swim", "--suspicion-timeout", "3s", "--mode", "swim"),
                      ("swim", "--suspicion-timeout", "3s", "--mode", "lifeguard"),
                      ("swim", "--data-connections", "--mode", "swim"),
                      ("swim", "--pause-for", "3s"), ("swim", "--pause-again", "3s"),
                      ("swim", "--wakes-to", "timers"),
                      ("swim", "--data-peers", "3"), ("swim", "--boot-within", "3s"),
                      ("swim", "--boot-within", "3s", "--restart"),
                      ("swim", "--restart-all", "--restart"), ("swim", "--churn-for", "3s"),
                      ("swim", "--nodes", "1"), ("swim", "--nodes", "10001"),
                      ("swim", "--loss", "1"), ("swim", "--loss", "nan"), ("swim", "--kill", "-1"),
                      ("swim", "--kill", "100"), ("swim", "--kill", "4294967295"),
                      ("swim", "--duration", "60"), ("swim", "--duration", "0s"),
                      ("swim", "--death", "slow"), ("swim", "--ack-timeout", "5s"),
                      ("swim", "--suspicion-timeout", "500ms")):
            with self.subTest(" ".join(flags)):
                self.assertIn(flags[1], self.refused(*flags))

    def test_a_file_that_can_not_be_written_is_named(self):
        for flag in ("--csv", "--json", "--svg"):
            self.assertIn("/dev/null/x", self.refused("rumor", flag, "/dev/null/x"))


if __name__ == "__main__":
    unittest.main()
