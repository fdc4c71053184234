#!/usr/bin/env python3
"""`assay task review` in a browser: its page walks, edits, marks slices, labels, undoes and saves, and what it did not touch stays as it was.
Without Chromium it is skipped.

usage: review_test.py ASSAY CHECKOUT [Review.test_x …]
REVIEW_SCREENSHOTS=FOLDER keeps pictures for looking at."""
import http.client, json, os, pathlib, signal, subprocess, sys, tempfile, time, unittest, urllib.parse

import chromium

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"
HOSTILE = "</script><img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>"
# Lines that a JSON writer would write otherwise.
ODD = ['{"id": "hostile",  "messages": [{"role": "user", "content": %s}], "expect": [{"type": "contains", "value": ["1.0", "é"]}]}' % json.dumps(HOSTILE),
       '', '\t{"expect":[{"value":2.040e2,"type":"number"}],"messages":[{"content":"100 + 104?","role":"user"}],"slice":"sum","id":"sum"}\r']
# What is wider than the page, or cuts text off at the side; fields and ellipses do that.
OVERFLOW = """JSON.stringify({page: document.documentElement.scrollWidth - document.documentElement.clientWidth,
inner: [].filter.call(document.body.querySelectorAll('*'), e => !e.closest('.skip,#list small,select,input,dialog:not([open])') && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && e.clientWidth > 0)
.map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))})"""
NAMELESS = """JSON.stringify([].filter.call(document.querySelectorAll('input,select,textarea,button'), e => !e.getAttribute('aria-label') && !(e.labels && e.labels.length) && !(e.tagName === 'BUTTON' && e.textContent.trim()))
.map(e => e.outerHTML.slice(0, 80)))"""


class Review(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.made = pathlib.Path(folder.name)
        os.environ["ASSAY_CACHE"] = str(cls.made / "cache")
        rows = [json.loads(line) for line in (DEMO / "task.jsonl").read_text().splitlines()]
        (cls.made / "task.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[::2]))
        (cls.made / "traffic.jsonl").write_text("".join(json.dumps({k: v for k, v in row.items() if k != "expect"}) + "\n" for row in rows[1::2]))
        subprocess.run([ASSAY, "check", DEMO, "--task", "task.jsonl", "--unlabelled", "traffic.jsonl", "--to", "q2_k_s", "--no-speed", "-q"],
                       cwd=cls.made, check=False, stdout=subprocess.DEVNULL)
        cls.browser = chromium.Chromium(chromium.find())
        cls.addClassCleanup(cls.browser.close)
        cls.pictures = os.environ.get("REVIEW_SCREENSHOTS")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.task = self.path / "task.jsonl"
        rows = [json.loads(line) for line in (self.made / "task.jsonl").read_text().splitlines()]
        for row in rows[:3]:
            row["draft"] = "from a log"
        self.lines = [json.dumps(row) for row in rows] + ODD
        self.task.write_bytes("\n".join(self.lines).encode())
        os.chmod(self.task, 0o640)
        for name in ("assay-report.json", "assay-report.differing.jsonl"):
            (self.path / name).write_bytes((self.made / name).read_bytes())
        self.labels = self.path / "assay-report.differing.jsonl"
        self.browser.media()
        self.browser.size(1280)

    def start(self, *arguments, records=("assay-report.json",)):
        process = subprocess.Popen([ASSAY, "task", "review", "task.jsonl", *records, *arguments], cwd=self.path, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.url = process.stdout.readline().strip()
        self.assertRegex(self.url, r"^http://127\.0\.0\.1:\d+/[0-9a-f]{64}/$")
        return process

    def open(self):
        self.browser.open(self.url)
        self.until("document.querySelector('#here h1') !== null")

    def value(self, script):
        return self.browser.value(script)

    def until(self, script):
        until = time.monotonic() + 60
        while not self.value(script):
            self.assertLess(time.monotonic(), until, f"never so: {script}\n" + self.value("document.body.innerText")[:2000])
            time.sleep(0.02)

    def title(self):
        return self.value("document.querySelector('#here h1').textContent")

    def go(self, key, title):
        self.browser.key(key)
        self.until(f"document.querySelector('#here h1').textContent === {json.dumps(title)}")

    def replace(self, text):
        """In the field that has the focus."""
        self.value("document.activeElement.select()")
        self.browser.type(text)

    def clean(self, count):
        self.until(f"document.getElementById('unsaved').textContent === '{count} unsaved'" if count else
                   "document.getElementById('unsaved').textContent === 'all saved'")

    def test_a_review_by_keys(self):
        process = self.start()
        self.open()
        self.assertEqual(self.title(), "calls-01")
        self.go("j", "calls-03")
        self.go("ArrowDown", "calls-05")
        self.go("k", "calls-03")

        # A wrong call: the answer that passed fails at once, and nothing has a mistake in it.
        passes = "[].map.call(document.querySelectorAll('#answers .side'), s => s.classList.contains('right')).join()"
        self.until(f"{passes} === 'true,true' || {passes} === 'true,false'")
        self.browser.key("e")
        self.assertEqual(self.value("document.activeElement.closest('section').id || document.activeElement.closest('section').className"), "check")
        tool = self.value("document.activeElement.value")
        self.replace("another_tool")
        self.until(f"{passes} === 'false,false'")
        self.assertIn("wrong tool", self.value("document.getElementById('answers').textContent"))
        self.clean(1)
        self.browser.key("Escape")
        self.browser.key("u")
        self.clean(0)
        self.until(f"document.querySelector('#expected input').value === {json.dumps(tool)}")

        # The draft is right: on to the next.
        self.go("a", "calls-05")
        # What the task's reader refuses is told in its words, and not taken.
        self.browser.key("r")
        whole = self.value("document.activeElement.value")
        self.replace(whole.replace('"calls":', '"cals":'))
        self.browser.key("Escape")
        self.value("document.getElementById('take').click()")
        self.until("document.querySelector('#problems .problems') !== null")
        self.assertIn('did you mean "calls"?', self.value("document.getElementById('problems').textContent"))
        self.clean(1)
        self.value("document.getElementById('raw').focus()")
        self.replace(whole)
        self.value("document.getElementById('take').click()")
        self.until("document.querySelector('#problems .problems:not(.doubts)') === null")

        # A slice, by name; one that is there is offered.
        self.assertIn("retrieval", self.value("[].map.call(document.querySelectorAll('#names option'), o => o.value).join()"))
        self.value("document.getElementById('here').focus()")
        self.browser.key("s")
        self.assertEqual(self.value("document.activeElement.id"), "m-slice")
        self.replace("hard calls")
        self.browser.key("Escape")
        self.clean(2)

        # Found by search; a number keeps the spelling that it is given.
        self.browser.key("/")
        self.browser.type("100 + 104")
        self.until("document.querySelectorAll('#list button').length === 1")
        self.browser.key("Enter")
        self.until("document.querySelector('#here h1').textContent === 'sum'")
        self.browser.key("e")
        self.replace("204.50")
        self.clean(3)
        self.browser.key("Escape")
        self.browser.key("/")
        self.browser.key("Escape")
        self.go("k", "hostile")
        self.assertIsNone(self.value("window.hacked"))
        self.assertIn("<img src=x onerror", self.value("document.querySelector('.talk').textContent"))
        self.browser.key("x")
        self.clean(4)

        # Labels, of a prompt without checks.
        self.value("(s => { s.value = 'unlabelled'; s.dispatchEvent(new Event('input')); })(document.getElementById('which'))")
        self.value("document.querySelector('#list button').click()")
        self.until("document.querySelector('.labels') !== null")
        self.value("document.getElementById('here').focus()")
        self.browser.key("2")
        self.until("document.querySelector('.labels [aria-pressed=true]')?.textContent.includes('candidate')")
        self.clean(5)
        self.assertEqual(self.task.read_bytes(), "\n".join(self.lines).encode())

        before = self.labels.read_text()
        self.browser.key("s", control=True)
        self.clean(0)
        lines = list(self.lines)
        lines[1] = lines[1].replace(', "draft": "from a log"', "")
        lines[2] = lines[2].replace('"slice": "calls"', '"slice": "hard calls"')
        lines[-1] = lines[-1].replace("2.040e2", "204.50")
        lines[-3] = ""
        self.assertEqual(self.task.read_bytes().decode(), "\n".join(lines))
        self.assertEqual(self.task.stat().st_mode & 0o777, 0o640)
        self.assertEqual(self.labels.read_text(), before.replace('"right":null', '"right":"candidate"', 1))

        self.value("document.getElementById('done').click()")
        self.until("document.body.textContent.includes('the review has ended')")
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("task.jsonl: saved", out)
        self.assertEqual(sorted(p.name for p in self.path.iterdir()), ["assay-report.differing.jsonl", "assay-report.json", "task.jsonl"])
        again = subprocess.run([ASSAY, "task", "check", self.task], capture_output=True, text=True)
        self.assertEqual(again.returncode, 0, again.stdout)

    def test_a_killed_review_loses_nothing(self):
        process = self.start()
        self.open()
        self.browser.key("s")
        self.replace("geography")
        self.clean(1)
        process.kill()
        process.wait()
        self.browser.key("Escape")
        self.browser.key("s", control=True)
        self.until("document.getElementById('told').textContent.includes('does not answer')")
        self.assertEqual(self.task.read_bytes(), "\n".join(self.lines).encode())

        process = self.start()
        self.open()
        self.clean(1)
        self.assertEqual(self.value("document.getElementById('m-slice').value"), "geography")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("1 change of an earlier review", err)
        self.assertIn('"slice": "geography"', self.task.read_text().splitlines()[0])
        self.assertFalse((self.path / "task.jsonl.review").exists())

    def test_a_file_that_was_changed_meanwhile_is_left_alone(self):
        process = self.start()
        self.open()
        self.browser.key("s")
        self.replace("geography")
        self.clean(1)
        theirs = self.task.read_bytes().replace(b"100 + 104?", b"100 + 105?")
        self.task.write_bytes(theirs)
        self.browser.key("s", control=True)
        self.until("document.getElementById('told').textContent.includes('another program changed the file')")
        self.assertEqual(self.task.read_bytes(), theirs)
        other = subprocess.run([ASSAY, "task", "review", self.task], capture_output=True, text=True)
        self.assertEqual(other.returncode, 1)
        self.assertIn("another process is writing this file", other.stderr)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn("task.jsonl.review", err)
        # Another line was changed: the one of this review is taken up.
        process = self.start()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn(b"100 + 105?", self.task.read_bytes())
        self.assertIn(b'"slice": "geography"', self.task.read_bytes())

    def test_forms(self):
        """Each kind of check has its form; a value of it is set, and the rest of the line stays."""
        checks = [('{"type": "equals", "value": ["a",  "b"]}', "textarea", "c", '"a",  "b"', '"c","b"'),
                  ('{"type": "regex", "pattern": "a"}', ".check input[type=text]", "b+", '"a"', '"b+"'),
                  ('{"type": "json_value", "value": {"n": 1.50}}', "textarea", '{"n": 1.250}', '{"n": 1.50}', '{"n":1.250}'),
                  ('{"type": "json_schema", "schema": {"type": "object"}}', "textarea", '{"type": "array"}', '{"type": "object"}', '{"type":"array"}'),
                  ('{"type": "choice", "value": "A", "letters": "ABC"}', ".check input[type=text]", "B", '"A"', '"B"')]
        lines = ['{"id": "e%d", "messages": [{"role": "user", "content": "?"}], "expect": [%s]}' % (i, check[0]) for i, check in enumerate(checks)]
        self.task.write_text("\n".join(lines))
        process = self.start(records=())
        self.open()
        for i, (_, field, value, _, _) in enumerate(checks):
            self.until(f"document.querySelector('#here h1').textContent === 'e{i}'")
            self.value(f"document.querySelector('#expected {field}').focus()")
            self.replace(value)
            self.clean(i + 1)
            self.browser.key("Escape")
            if i + 1 < len(checks):
                self.browser.key("j")
        # A switch, and a check more.
        self.value("document.querySelector('#expected select').value = 'contains'")
        self.value("[].find.call(document.querySelectorAll('#expected button'), b => b.textContent === 'Add check').click()")
        self.until("document.querySelectorAll('.check').length === 2")
        self.value("[].find.call(document.querySelectorAll('.check:nth-of-type(2) .tick, .check ~ .check .tick'), t => t.textContent === 'ignore case').querySelector('input').click()")
        self.until("document.getElementById('raw').value.includes('ignore_case')")
        self.browser.key("s", control=True)
        self.clean(0)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        for i, (_, _, _, before, after) in enumerate(checks):
            lines[i] = lines[i].replace(before, after)
        lines[4] = lines[4][:-2] + ',{"type":"contains","value":"…","ignore_case":true}]}'
        self.assertEqual(self.task.read_text(), "\n".join(lines))

    def test_how_it_looks(self):
        process = self.start()
        broken = "document.querySelectorAll('details').forEach(d => d.open = true)"
        for width in (1280, 900, 390, 360):
            for scheme in ("light", "dark"):
                with self.subTest(width=width, scheme=scheme):
                    self.browser.size(width)
                    self.browser.media(scheme=scheme)
                    self.open()
                    if self.pictures:
                        self.browser.photograph(pathlib.Path(self.pictures) / f"review-{width}-{scheme}.png")
                    self.value(broken)
                    self.assertEqual(json.loads(self.value(OVERFLOW)), {"page": 0, "inner": []})
                    self.assertEqual(json.loads(self.value(NAMELESS)), [])
                    colours = json.loads(self.value("JSON.stringify([getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color])"))
                    bright = [sum(map(float, c[c.index("(") + 1:-1].split(",")[:3])) for c in colours]
                    self.assertEqual(bright[0] > bright[1], scheme == "light")
                    self.value("document.querySelector('#which').value = 'unlabelled'; document.querySelector('#which').dispatchEvent(new Event('input')); document.querySelector('#list button').click()")
                    self.until("document.querySelector('.labels') !== null")
                    self.assertEqual(json.loads(self.value(OVERFLOW)), {"page": 0, "inner": []})
                    self.assertEqual(json.loads(self.value(NAMELESS)), [])
                    if self.pictures:
                        self.browser.photograph(pathlib.Path(self.pictures) / f"label-{width}-{scheme}.png")
        self.browser.key("?")
        self.assertTrue(self.value("document.getElementById('keys').open"))
        process.kill()

    def test_nobody_else_reaches_it(self):
        self.start()
        url = urllib.parse.urlsplit(self.url)
        origin = f"http://{url.netloc}"

        def status(method, path, body=None, **headers):
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            text = response.read().decode()
            connection.close()
            self.assertNotIn("Access-Control-Allow-Origin", response.headers)
            self.assertNotIn(url.path.strip("/"), text)
            return response.status

        self.assertEqual(status("GET", url.path), 200)
        self.assertEqual(status("GET", "/"), 403)
        self.assertEqual(status("GET", url.path, Host=f"attacker.example:{url.port}"), 403)
        self.assertEqual(status("GET", url.path, Sec_Fetch_Site="cross-site"), 403)
        ours = {"Origin": origin, "Content_Type": "application/json"}
        self.assertEqual(status("POST", url.path + "state", "{}", **ours), 200)
        self.assertEqual(status("POST", url.path + "state", "{}", **{**ours, "Origin": "http://attacker.example"}), 403)
        self.assertEqual(status("POST", url.path + "state", "{}", Content_Type="application/json"), 403)
        self.assertEqual(status("POST", url.path + "state", "{}", **{**ours, "Content_Type": "text/plain"}), 415)
        self.assertEqual(status("POST", url.path + "state", "[" * 100000, **ours), 400)
        self.assertEqual(status("POST", url.path + "edit", '{"line": 1e99}', **ours), 400)
        self.assertEqual(status("POST", url.path + "../etc/passwd", "{}", **ours), 404)

    def test_refusals(self):
        def fails(*arguments, says, code=1):
            result = subprocess.run([ASSAY, "task", "review", *arguments], cwd=self.path, capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(says, result.stderr)

        yaml = "- {id: a, messages: [{role: user, content: Hi}], expect: [{type: equals, value: 'no'}]}\n"
        (self.path / "task.yaml").write_text(yaml)
        fails("task.yaml", says="assay task review task.yaml -o task.jsonl")
        fails("task.yaml", "-o", "task.jsonl", says="task.jsonl exists")
        (self.path / "table.csv").write_text("question,answer\n1,2\n")
        fails("table.csv", says="CSV")
        fails("task.jsonl", "task.yaml", says="expected a saved run")
        fails("task.jsonl", "--labels", "task.jsonl", says="differing.jsonl")
        fails(says="expected TASK", code=2)
        self.assertEqual((self.path / "task.yaml").read_text(), yaml)
        process = subprocess.Popen([ASSAY, "task", "review", "task.yaml", "-o", "new.jsonl"], cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(json.loads((self.path / "new.jsonl").read_text())["expect"][0]["value"], "no")
        self.assertEqual((self.path / "task.yaml").read_text(), yaml)


if __name__ == "__main__":
    if not chromium.find():
        print("skipped: there is no Chromium here (apt install chromium)")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
