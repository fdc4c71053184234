#!/usr/bin/env python3
"""The HTML report in a browser: nothing scrolls sideways, filters, search, keyboard, colours, dark, print. Without Chromium it is skipped.

usage: report_page_test.py ASSAY CHECKOUT
REPORT_SCREENSHOTS=FOLDER keeps pictures for looking at."""
import json, os, pathlib, re, subprocess, sys, tempfile, unittest

import chromium, made_record

ASSAY = os.path.abspath(sys.argv[1])
LONG = "awq-int4-g128-with-a-name-that-nobody-would-give-{}"
# What is wider than the page, and what cuts its text off at the side.
OVERFLOW = """JSON.stringify({page: document.documentElement.scrollWidth - document.documentElement.clientWidth,
inner: [].filter.call(document.body.querySelectorAll('*'), e => !e.closest('.vh,svg,.skip') && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' && e.clientWidth > 0)
.map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))})"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        cls.browser = chromium.Chromium(chromium.find())
        cls.pictures = os.environ.get("REPORT_SCREENSHOTS")
        cls.usual = cls.draw("usual", made_record.record(6, lost=lambda c: (0, 0, 1, 2, set(range(10, 18)), 20)[c]))
        cls.wide = cls.draw("wide", made_record.record(12, lost=lambda c: 3 * c, name=LONG, wide=" " + "unbroken" * 60, slices=tuple(f"slice{i}" + "x" * 30 for i in range(5))))

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    @classmethod
    def draw(cls, name, record):
        (cls.path / f"{name}.json").write_text(json.dumps(record, separators=(",", ":")))
        subprocess.run([ASSAY, "report", cls.path / f"{name}.json", "-o", cls.path / f"{name}.html", "-q"], check=True, stdout=subprocess.DEVNULL)
        return cls.path / f"{name}.html"

    def setUp(self):
        self.browser.media()
        self.browser.size(1280)

    def value(self, script):
        return self.browser.value(script)

    def shown(self):
        """Ids of examples and outcomes of the answers that are seen."""
        return json.loads(self.value("JSON.stringify([].filter.call(document.querySelectorAll('.pair'), p => p.offsetParent)"
                                     ".map(p => [p.closest('.ex').querySelector('h3').textContent, p.querySelector('.o').textContent, p.querySelector('b').textContent]))"))

    def click(self, selector):
        self.assertTrue(self.value(f"(e => {{ e.click(); return true; }})(document.querySelector({json.dumps(selector)}))"))

    def choose(self, id, text):
        self.value(f"(s => {{ s.value = [].find.call(s.options, o => o.textContent === {json.dumps(text)}).value; s.dispatchEvent(new Event('change')); }})(document.getElementById('{id}'))")

    def show_all(self):
        for kind in json.loads(self.value("JSON.stringify([].map.call(document.querySelectorAll('.filters button[aria-pressed=false]'), b => b.dataset.o))")):
            self.click(f".filters button[data-o='{kind}']")

    def test_nothing_scrolls_sideways(self):
        for page in (self.usual, self.wide):
            for width in (1280, 1024, 800, 390, 360):
                with self.subTest(page=page.stem, width=width):
                    self.browser.size(width)
                    self.browser.open(page)
                    self.show_all()
                    self.value("document.querySelectorAll('details').forEach(d => d.open = true)")
                    self.assertEqual(json.loads(self.value(OVERFLOW)), {"page": 0, "inner": []})
                    if self.pictures:
                        self.browser.open(page)
                        self.browser.photograph(pathlib.Path(self.pictures) / f"{page.stem}-{width}.png")

    def test_every_answer_can_be_seen(self):
        self.browser.open(self.usual)
        # It begins with what decides.
        self.assertEqual({outcome for _, outcome, _ in self.shown()}, {"lost"})
        self.assertEqual(self.value("document.getElementById('f-count').textContent"), "31 of 300 answers shown")
        self.show_all()
        self.assertEqual(self.value("document.getElementById('f-count').textContent"), "300 of 300 answers shown")
        seen = self.shown()
        self.assertEqual(len({example for example, _, _ in seen}), 50)
        self.assertEqual(sum(len(names.split(", ")) for _, _, names in seen), 300)
        self.assertIn(["ex-01", "both right, the same answer", "q0, q1, q2, q3, q4, q5"], seen)

    def test_filters(self):
        self.browser.open(self.usual)
        self.choose("f-arm", "q5")
        self.assertEqual(len(self.shown()), 20)
        self.choose("f-slice", "json")
        only = self.shown()
        self.assertTrue(0 < len(only) < 20 and all("ex-1" in example for example, _, _ in only), only)
        self.choose("f-slice", "All slices")
        self.choose("f-fail", "no call")
        only = self.shown()
        self.assertTrue(0 < len(only) < 20, only)
        self.assertEqual({int(example[3:]) % 3 for example, _, _ in only}, {1})
        self.choose("f-arm", "q0")  # lost nothing
        self.assertEqual(self.shown(), [])
        self.assertFalse(self.value("document.getElementById('f-none').hidden"))
        self.click("#f-all")
        self.assertEqual(self.value("document.getElementById('f-count').textContent"), "300 of 300 answers shown")

    def test_cells_lead_to_their_answers(self):
        self.browser.open(self.usual)
        self.click("#slices ~ table a.cell.cracks")
        chosen = self.value("document.getElementById('f-arm').selectedOptions[0].textContent")
        self.assertIn(chosen, ("q4", "q5"))
        self.assertTrue(self.shown())
        self.assertTrue(all(names == chosen and outcome == "lost" for _, outcome, names in self.shown()))
        self.assertEqual(self.value("location.hash"), "#answers")
        self.click("#failures ~ table a.cell")
        self.assertNotEqual(self.value("document.getElementById('f-fail').value"), "")
        self.assertTrue(self.shown())
        self.click(".verdicts .why a[data-c='0']")  # nothing lost: all its answers, then
        self.assertEqual(sum(1 for _ in self.shown()), 50)
        self.assertFalse(self.value("document.querySelector('.method details').open"))
        self.click("a[href='#method']")
        self.assertTrue(self.value("document.querySelector('.method details').open"))

    def test_search_and_keys(self):
        self.browser.open(self.usual)
        self.browser.key("/")
        self.assertEqual(self.value("document.activeElement.id"), "f-find")
        self.browser.type("It is 7, BY candidate 5")
        self.assertEqual([example for example, _, _ in self.shown()], ["ex-03"])
        self.browser.key("Escape")
        self.assertEqual(self.value("document.getElementById('f-find').value"), "")
        self.browser.key("/")
        self.browser.type("What is 10 plus 10")  # the question
        self.assertEqual({example for example, _, _ in self.shown()}, {"ex-10"})
        self.browser.key("j")  # a letter of the search
        self.assertEqual(self.shown(), [])
        self.browser.key("Escape")
        focused = "document.activeElement.closest('.ex') && document.activeElement.closest('.ex').querySelector('h3').textContent"
        places = []
        for key in "jjjk":
            self.browser.key(key)
            places.append(self.value("[].filter.call(document.querySelectorAll('.pair'), p => p.offsetParent).indexOf(document.activeElement)"))
        self.assertEqual(places, [0, 1, 2, 1])
        self.assertTrue(self.value(focused))
        rect = json.loads(self.value("(r => JSON.stringify([r.top, innerHeight]))(document.activeElement.getBoundingClientRect())"))
        self.assertTrue(0 <= rect[0] < rect[1], rect)

    def test_the_question_comes_before_the_tools(self):
        self.browser.open(self.usual)
        self.show_all()
        text = self.value("document.querySelector('.ex').textContent")
        self.assertLess(text.index("What is 0 plus 0?"), text.index("You add."))
        self.assertLess(text.index("You add."), text.index("add(a, b)"))
        self.assertTrue(self.value("document.querySelector('.ex .ask').checkVisibility() && !document.querySelector('.ex .prompt').checkVisibility()"))

    def colours(self):
        def color(selector, property):
            found = self.value(f"getComputedStyle(document.querySelector({json.dumps(selector)})).{property}")
            return tuple(map(float, re.findall(r"[\d.]+", found)[:3]))
        return {"right": color(".pair:not([hidden]) .side.right .w", "color"), "wrong": color(".pair:not([hidden]) .side.wrong .w", "color"),
                "right mark": color(".pair:not([hidden]) .side.right mark", "backgroundColor"), "wrong mark": color(".pair:not([hidden]) .side.wrong mark", "backgroundColor"),
                "page": color("body", "backgroundColor"), "text": color("body", "color")}

    def test_right_is_green_and_wrong_is_red(self):
        for scheme in ("light", "dark"):
            with self.subTest(scheme):
                self.browser.media(scheme=scheme)
                self.browser.open(self.usual)
                # A lost answer: the baseline's is the right one.
                self.assertEqual(self.value("(p => [].map.call(p.querySelectorAll('.side'), s => s.className).join())(document.querySelector('.pair[data-o=\"0\"]'))"), "side right,side wrong")
                found = self.colours()
                for name in ("right", "right mark"):
                    self.assertGreater(found[name][1], found[name][0], name)  # greener than red
                for name in ("wrong", "wrong mark"):
                    self.assertGreater(found[name][0], found[name][1], name)
                brighter = sum(found["page"]) > sum(found["text"])
                self.assertEqual(brighter, scheme == "light")
                if self.pictures:
                    self.browser.photograph(pathlib.Path(self.pictures) / f"usual-{scheme}.png")
                    self.value("document.getElementById('answers').scrollIntoView()")
        self.browser.media(scheme="dark")
        self.browser.open(self.usual)
        self.click("#theme")
        self.assertGreater(sum(self.colours()["page"]), 600)

    def test_names_in_plots_do_not_meet(self):
        for page in (self.usual, self.wide):
            self.browser.open(page)
            boxes = json.loads(self.value("JSON.stringify([].map.call(document.querySelectorAll('figure svg'), s => [].map.call(s.querySelectorAll('text'), t => (r => [r.left, r.top, r.right, r.bottom, t.textContent])(t.getBoundingClientRect()))))"))
            self.assertGreaterEqual(len(boxes), 2)
            for figure in boxes:
                self.assertGreater(len(figure), 7)
                for i, a in enumerate(figure):
                    for b in figure[:i]:
                        across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
                        self.assertFalse(across > 1 and down > 3, (page.stem, a, b))

    def test_prints_whole(self):
        self.browser.open(self.usual)
        self.value("document.getElementById('theme').click()")  # dark paper would be a waste
        self.browser.media("print", "light")
        for width in (794, 690):  # A4 with and without its margins
            self.browser.size(width)
            self.value("dispatchEvent(new Event('beforeprint'))")
            self.assertEqual(json.loads(self.value(OVERFLOW)), {"page": 0, "inner": []})
            found = json.loads(self.value("JSON.stringify({cut: [].filter.call(document.querySelectorAll('pre,.prompt'), e => e.offsetParent && e.scrollHeight > e.clientHeight + 1).length,"
                                          "folded: document.querySelectorAll('details:not([open])').length, buttons: [].filter.call(document.querySelectorAll('button,select,input'), e => e.offsetParent).length,"
                                          "method: document.querySelector('.method dl').offsetParent !== null, count: document.getElementById('f-count').offsetParent !== null,"
                                          "page: getComputedStyle(document.body).backgroundColor, text: getComputedStyle(document.body).color})"))
            self.assertEqual(found, {"cut": 0, "folded": 0, "buttons": 0, "method": True, "count": True, "page": "rgb(255, 255, 255)", "text": "rgb(28, 29, 31)"})
            if self.pictures:
                self.browser.photograph(pathlib.Path(self.pictures) / f"print-{width}.png")
            self.value("dispatchEvent(new Event('afterprint'))")
            self.assertGreater(self.value("document.querySelectorAll('details:not([open])').length"), 10)
        pdf = self.browser.print()
        self.assertTrue(pdf.startswith(b"%PDF"))
        self.assertGreater(len(re.findall(rb"/Type\s*/Page\b", pdf)), 3)
        if self.pictures:
            (pathlib.Path(self.pictures) / "print.pdf").write_bytes(pdf)

    def test_without_scripts(self):
        """All of it is there and seen, but for the filters."""
        self.browser.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.browser.open(self.usual)
            self.assertGreater(len(self.shown()), 80)
            self.assertEqual(sum(len(names.split(", ")) for _, _, names in self.shown()), 300)
            self.assertFalse(self.value("document.querySelector('.filters').checkVisibility()"))
        finally:
            self.browser.call("Emulation.setScriptExecutionDisabled", value=False)

    def test_what_is_left_out_is_shown(self):
        record = made_record.record(2, lost=lambda c: 0)
        record["candidates"][1]["run"]["examples"][5].update(error="the server said 500", answer="", finish="error", **{"pass": False})
        self.browser.open(self.draw("error", record))
        self.assertEqual([row for row in self.shown() if row[1] == "left out"], [["ex-05", "left out", "q1"]])
        self.assertIn("the server said 500", self.value("document.querySelector('.pair[data-o=\"4\"]').textContent"))

    def test_size(self):
        """Twelve candidates, fifty examples each: what a mail takes."""
        self.assertLess(self.wide.stat().st_size, 2 << 20)
        record = made_record.record(12, lost=lambda c: 40, wide=" " + "long text " * 5000)
        huge = self.draw("huge", record)
        self.assertLess(huge.stat().st_size, 8 << 20)
        self.assertIn("bytes are cut here", huge.read_text())


if __name__ == "__main__":
    if not chromium.find():
        print("skipped: there is no Chromium here (apt install chromium)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
