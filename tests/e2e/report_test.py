#!/usr/bin/env python3
"""The formats of a report from outside: check --report, compare --report, and `report`, which draws a record again.

usage: report_test.py ASSAY CHECKOUT"""
import csv, io, json, os, pathlib, re, subprocess, sys, tempfile, unittest, xml.etree.ElementTree

import made_record

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"
HOSTILE = "=1+1|</script><script>alert(1)</script>]]>&\"'`*_[x](http://e.example) @someone #12 \x00\x1b[31m\x7f\ufffe\u202e\n| a | b |\n# head"


class Reports(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        os.environ["ASSAY_CACHE"] = str(self.path / "cache")

    def run_(self, *arguments, codes=(0,)):
        result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, cwd=self.path)
        self.assertIn(result.returncode, codes, result.stderr + result.stdout)
        return result

    def put(self, record, name="r.json"):
        # As the program writes it: surrogate escapes and all.
        (self.path / name).write_text(json.dumps(record, separators=(",", ":")))

    def drawn(self, record, ending):
        self.put(record)
        self.run_("report", "r.json", "-o", f"out.{ending}", "--force")
        return (self.path / f"out.{ending}").read_bytes().decode()

    # --- each really that ---

    def test_junit(self):
        root = xml.etree.ElementTree.fromstring(self.drawn(made_record.record(3, lost=lambda c: (0, 2, 20)[c]), "xml").encode())
        self.assertEqual(root.tag, "testsuites")
        suites = {suite.get("name"): suite for suite in root}
        self.assertEqual(list(suites), ["q0", "q1", "q2"])
        for suite in suites.values():
            cases = suite.findall("testcase")
            self.assertEqual(len(cases), 1 + 5 + 50)  # the verdict, slices, examples
            for kind, tag in (("tests", None), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
                self.assertEqual(int(suite.get(kind)), sum(tag is None or case.find(tag) is not None for case in cases), kind)
        for kind in ("tests", "failures", "errors", "skipped"):
            self.assertEqual(int(root.get(kind)), sum(int(suite.get(kind)) for suite in suites.values()))
        # It fails where the verdict does: what was lost within the margin is told and no failure.
        self.assertEqual((suites["q0"].get("failures"), suites["q0"].get("errors")), ("0", "0"))
        self.assertEqual(suites["q1"].get("failures"), "0")
        told = [case.find("skipped").get("message") for case in suites["q1"].findall("testcase") if case.find("skipped") is not None]
        self.assertEqual(sum(text.startswith("lost, but ") for text in told), 2)
        self.assertGreaterEqual(int(suites["q2"].get("failures")), 21)
        verdict = suites["q2"].find("testcase[@name='verdict']/failure")
        self.assertIn("20 lost, 0 gained of 50", verdict.get("message"))
        example = suites["q2"].find("testcase[@name='ex-03']/failure")
        self.assertEqual(example.get("type"), "wrong value")
        self.assertIn("It is 7, by candidate 2.", example.text)

    def test_csv(self):
        rows = list(csv.DictReader(io.StringIO(self.drawn(made_record.record(3), "csv"), newline="")))
        self.assertEqual(len(rows), 50 * 4)
        self.assertEqual({row["role"] for row in rows if row["arm"] == "bf16"}, {"baseline"})
        q2 = [row for row in rows if row["arm"] == "q2"]
        self.assertEqual([sum(row["outcome"] == name for row in q2) for name in ("lost", "gained", "both right", "both wrong")], [4, 0, 45, 1])
        lost = next(row for row in q2 if row["example"] == "ex-03")
        self.assertEqual((lost["passed"], lost["failure"], lost["detail"], lost["answer"], lost["slice"]), ("0", "wrong value", "expected 3", "It is 7, by candidate 2.", "calls"))

    def test_markdown(self):
        text = self.drawn(made_record.record(3, lost=lambda c: (0, 0, 20)[c]), "md")
        self.assertTrue(text.startswith("<!-- assay report -->\n**Ship q1: "), text[:200])
        self.assertIn("| q2 | \u274c cracks | 29/50 | 20 | 0 |", text)
        self.assertIn("<summary>20 answers lost</summary>", text)
        self.assertEqual(text.count("| q2 | "), 1 + 20)
        self.assertIn("judged again by assay", text)

    def test_markdown_stays_a_comment(self):
        record = made_record.record(12, lost=lambda c: 30)
        for example in record["examples"]:
            example["expected"] = "x" * 2000
        for candidate in record["candidates"]:
            for result in candidate["run"]["examples"]:
                for check in result["checks"]:
                    check["detail"] = "y" * 2000
        text = self.drawn(record, "md")
        self.assertLess(len(text), 65536)
        shown, of = map(int, re.search(r"The first (\d+) of (\d+) are shown", text).groups())
        self.assertEqual((of, text.count("yyy\u2026") > 0), (12 * 30, True))
        self.assertLess(shown, of)

    def test_json_and_page(self):
        record = made_record.record(3)
        drawn = json.loads(self.drawn(record, "json"))
        self.assertEqual(drawn, json.loads(self.run_("report", "r.json", "--json", "-q").stdout))
        self.assertEqual((drawn["schema"], len(drawn["verdicts"])), ("assay.check", 3))
        page = self.drawn(record, "html")
        self.assertIn("judged again by", page.lower())
        for what in ("some-model.bf16", "support.jsonl", "2026-11-22 09:30 UTC", "some machine"):
            self.assertIn(what, page[:page.index("</header>")])

    def test_nothing_holds_and_what_to_do(self):
        for lost, says in ((lambda c: 25, "Try a larger format: more than 8 bits per weight"), (lambda c: 2, "Add examples of the same kind")):
            for ending in ("md", "html"):
                self.assertIn(says, self.drawn(made_record.record(2, lost=lost), ending))
            self.assertIn(says, " ".join(self.run_("report", "r.json").stdout.split()))

    # --- names ---

    def test_endings(self):
        self.put(made_record.record(1))
        for name in ("r.txt", "bare", "r.htm", ".html", "r.xml.gz"):
            result = self.run_("report", "r.json", "-o", name, codes=(1,))
            self.assertIn("expected a name that ends in .html", result.stderr)
            self.assertIn(name, result.stderr)
            self.assertFalse((self.path / name).exists())
        self.run_("report", "r.json", "-o", "a.HTML", "-o", "b.md")
        self.assertTrue((self.path / "a.HTML").read_text().startswith("<!DOCTYPE html>"))
        self.assertIn("names b.md twice", self.run_("report", "r.json", "-o", "b.md", "-o", "b.md", codes=(1,)).stderr)

    def test_own_reports_are_written_anew_and_others_kept(self):
        self.put(made_record.record(1))
        for ending in ("html", "md", "xml", "csv", "json"):
            self.run_("report", "r.json", "-o", f"a.{ending}")
            self.run_("report", "r.json", "-o", f"a.{ending}")
            (self.path / f"other.{ending}").write_text("precious")
            self.assertIn("exists", self.run_("report", "r.json", "-o", f"other.{ending}", codes=(1,)).stderr)
            self.assertEqual((self.path / f"other.{ending}").read_text(), "precious")
        self.assertIn("replace the source", self.run_("report", "r.json", "-o", "r.json", "--force", codes=(1,)).stderr)

    def test_what_is_no_record(self):
        (self.path / "x.json").write_text("{}")
        self.assertIn("expected the data that `assay check` writes", self.run_("report", "x.json", codes=(1,)).stderr)
        self.run_("run", DEMO, "--task", DEMO / "task.jsonl", "-o", "a.run", "-q")
        self.assertIn("`assay compare` takes", self.run_("report", "a.run", codes=(1,)).stderr)

    def test_check_and_compare_write_them(self):
        task = self.path / "t.jsonl"
        task.write_text("".join((DEMO / "task.jsonl").read_text().splitlines(keepends=True)[:6]))
        check = ("check", DEMO, "--task", "t.jsonl", "--to", "q8_0", "--no-speed", "--report")
        for ending, begins in (("xml", "<?xml"), ("md", "<!-- assay report -->"), ("csv", "arm,role,"), ("html", "<!DOCTYPE html>")):
            told = self.run_(*check, f"c.{ending}", codes=(0, 3, 4)).stdout
            self.assertIn(f"report: c.{ending}; data: c.json", told)
            self.assertTrue((self.path / f"c.{ending}").read_bytes().decode().startswith(begins))
        # JSON: what --json prints; the data goes beside it.
        self.run_(*check, "d.json", codes=(0, 3, 4))
        self.assertEqual(json.loads((self.path / "d.json").read_text())["schema"], "assay.check")
        again = self.run_("report", "d.record.json", "-o", "e.json", "-q")
        self.assertEqual(json.loads((self.path / "d.json").read_text())["verdicts"], json.loads((self.path / "e.json").read_text())["verdicts"], again.stderr)
        self.assertIn("expected a name that ends in", self.run_(*check, "c.pdf", codes=(1,)).stderr)
        self.assertIn("judged again by assay", self.run_("report", "c.json").stderr)
        self.run_("compare", "c.json", "--report", "f.xml", "--report", "f.md", codes=(0, 3, 4))
        xml.etree.ElementTree.parse(self.path / "f.xml")
        self.assertTrue((self.path / "f.md").exists())

    # --- text of strangers ---

    def hostile(self):
        record = made_record.record(2)
        record["task_name"] = record["machine"] = HOSTILE
        for arm in (record["baseline"], *record["candidates"]):
            arm["run"]["header"]["model"]["name"] += HOSTILE
            arm["run"]["header"]["model"]["format"] += HOSTILE
            for result in arm["run"]["examples"]:
                result["slice"] = HOSTILE + result["slice"]
                result["id"] = HOSTILE + result["id"]
                result["answer"] = HOSTILE + result["answer"]
                for check in result["checks"]:
                    if not check["pass"]:
                        check["failure"] = check["detail"] = HOSTILE
        for text in record["examples"]:
            text["id"] = HOSTILE + text["id"]
        return record

    def test_hostile_text_in_xml(self):
        text = self.drawn(self.hostile(), "xml")
        root = xml.etree.ElementTree.fromstring(text.encode())  # well-formed, no forbidden character
        self.assertEqual(len(root), 2)
        self.assertEqual({element.tag for element in root.iter()} - {"testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped", "system-out"}, set())
        self.assertNotRegex(text, "[\x00-\x08\x0b-\x1f\x7f\ufffe\u202e]")

    def test_hostile_text_in_csv(self):
        text = self.drawn(self.hostile(), "csv")
        rows = list(csv.reader(io.StringIO(text, newline="")))
        self.assertEqual({len(row) for row in rows}, {16})
        self.assertEqual(len(rows), 1 + 3 * 50)
        for row in rows[1:]:
            for cell in row:
                self.assertNotRegex(cell, "^[=+@\t\r\n-]")
            self.assertTrue(row[2].startswith("'=1+1"), row[2])
        record = made_record.record(1)
        starts = ("=1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "'=1", "1-1", "a=b")
        for result, start in zip(record["baseline"]["run"]["examples"], starts):
            result["answer"] = start
        answers = [row["answer"] for row in csv.DictReader(io.StringIO(self.drawn(record, "csv"), newline=""))][:len(starts)]
        self.assertEqual(answers, ["'=1", "'+1", "'-1", "'@A1", "'\t=1", "\u240d=1", "'\n=1", "'\uff1d1", "'\uff0b1", "'\uff0d1", "'\uff201", "'=1", "1-1", "a=b"])

    def test_hostile_text_in_markdown(self):
        text = self.drawn(self.hostile(), "md")
        self.assertNotRegex(text, r"(?<!\\)<script")
        self.assertNotRegex(text, r"@\w")  # nobody is mentioned
        self.assertNotRegex(text, r"(?<!&)#\d")
        self.assertNotIn("http://", text)
        self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f\ufffe\u202e]")
        tables = 0
        for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
            tables += 1
            self.assertEqual(len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}), 1, block)
        self.assertEqual(tables, 3)
        for line in text.splitlines():
            self.assertNotRegex(line, r"^# ")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
