#!/usr/bin/env python3
"""What the program writes and what it leaves alone: no file of a user is lost, no cache believes a lie, nothing is left behind.

usage: files_test.py ASSAY CHECKOUT"""
import hashlib, json, os, pathlib, random, shutil, signal, stat, subprocess, sys, tempfile, time, unittest

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
DEMO = ROOT / "examples" / "demo"
PRECIOUS = "precious\n"


def sha(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.base = pathlib.Path(folder.name)
        self.path = self.base / "work"
        self.path.mkdir()
        self.env = {**os.environ, "ASSAY_CACHE": str(self.base / "cache"), "HOME": str(self.base / "home")}
        lines = (DEMO / "task.jsonl").read_text().splitlines()[:2]
        self.task = self.path / "t.jsonl"
        self.task.write_text("\n".join(lines) + "\n")

    def run_(self, *arguments, env=None, cwd=None, **more):
        return subprocess.run([ASSAY, *map(str, arguments), "--threads", "1"], capture_output=True, text=True, cwd=cwd or self.path,
                              env=env or self.env, **more)

    def ok(self, *arguments, codes=(0,), **more):
        result = self.run_(*arguments, **more)
        self.assertIn(result.returncode, codes, result.stderr)
        return result

    def refused(self, *arguments, says, env=None, cwd=None):
        """Exit 1, the message names it, nothing is there that was not, and nothing has changed."""
        before = self.tree()
        result = self.run_(*arguments, "-q", env=env, cwd=cwd)
        self.assertEqual(result.returncode, 1, (arguments, result.stdout, result.stderr))
        self.assertIn(says, result.stderr)
        self.assertNotIn("unexpected error", result.stderr)
        self.assertEqual(before, self.tree(), arguments)
        return result.stderr

    def tree(self):
        found = {}
        for path in sorted(self.path.rglob("*")):
            if path.is_symlink():
                found[str(path)] = "link to " + os.readlink(path)
            elif path.is_file():
                found[str(path)] = sha(path)
            else:
                found[str(path)] = "folder" if path.is_dir() else "other"
        return found

    def put(self, name, text=PRECIOUS):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def quantize(self, out, to="q8_0", *more, source=DEMO, **keywords):
        return self.ok("quantize", source, "--to", to, "-o", out, "--no-error", "-q", *more, **keywords)

    def check(self, *more, codes=(0, 3, 4), to="q8_0", model=DEMO, **keywords):
        return self.ok("check", model, "--task", "t.jsonl", "--to", to, "--no-speed", "-q", *more, codes=codes, **keywords)

    # --- a user's files ---

    def test_part_files_of_the_user_are_left(self):
        kept = [self.put("f.part/mine"), self.put("g.gguf.part"), self.put("v")]
        (self.path / "j.gguf.part").symlink_to("v")
        self.quantize("f", "fp8")
        self.quantize("g.gguf")
        self.quantize("j.gguf")
        for path in kept:
            self.assertEqual(path.read_text(), PRECIOUS)
        self.assertEqual(os.readlink(self.path / "j.gguf.part"), "v")
        self.put("r.part")
        self.refused("run", DEMO, "--task", "t.jsonl", "-o", "r", says="r.part")
        self.refused("run", DEMO, "--task", "t.jsonl", "-o", "r", "--force", says="r.part")

    def test_force_replaces_what_is_written_and_nothing_else(self):
        self.quantize("h", "fp8")
        old = sha(self.path / "h/model.safetensors")
        self.put("h/notes")
        self.put("h/sub/deep/notes")
        self.refused("quantize", DEMO, "--to", "int8-w8a8", "-o", "h", says="exists")
        self.quantize("h", "int8-w8a8", "--force")
        self.assertNotEqual(old, sha(self.path / "h/model.safetensors"))
        self.assertEqual((self.path / "h/notes").read_text(), PRECIOUS)
        self.assertEqual((self.path / "h/sub/deep/notes").read_text(), PRECIOUS)
        self.ok("inspect", "h")
        self.assertEqual(sorted(p.name for p in self.path.iterdir()), ["h", "t.jsonl"])
        # A shard of the old model would be read with the new one.
        self.quantize("s", "fp8", "--shard", "3MB")
        self.refused("quantize", DEMO, "--to", "fp8", "-o", "s", "--force", says="model.safetensors.index.json")
        self.quantize("s", "fp8", "--shard", "3MB", "--force")
        self.put("i/config.json", (DEMO / "config.json").read_text())
        self.put("i/notes")
        for name in (".", "./", "../i"):
            self.refused("quantize", DEMO, "--to", "fp8", "-o", name, "--force", says="that you are in", cwd=self.path / "i")
        self.put("home/notes")
        self.refused("quantize", DEMO, "--to", "fp8", "-o", "home", "--force", says="something else than a model")

    def test_names_that_are_taken_are_refused_before_work(self):
        for name in ("o", "o.gguf"):
            self.put(name)
        self.put("r.json")
        self.put("p.html")
        self.put("k/demo-Q8_0.gguf")
        self.put("k2/demo-fp8/notes")
        self.put("file")
        self.refused("quantize", DEMO, "--to", "q8_0", "-o", "o.gguf", says="o.gguf exists")
        self.refused("quantize", DEMO, "--to", "fp8", "-o", "o", says="o exists")
        self.refused("quantize", DEMO, "--to", "fp8", "-o", "o", "--force", says="a file of that name")
        self.refused("convert", DEMO, "--to", "gguf", "-o", "o.gguf", says="o.gguf exists")
        self.refused("run", DEMO, "--task", "t.jsonl", "-o", "o", says="o exists")
        report = ("check", DEMO, "--task", "t.jsonl", "--to", "q8_0,fp8", "--no-speed", "--report")
        self.refused(*report, "r.html", says="r.json exists")
        self.refused(*report, "p.html", says="p.html exists")
        self.put("x.record.json")
        self.refused(*report, "x.json", says="x.record.json exists")
        self.refused(*report, "no/x.html", says="its folder not opened")
        (self.path / "k.html").mkdir()
        os.mkfifo(self.path / "pipe.html")
        self.refused(*report, "k.html", says="a folder of that name")
        self.refused(*report, "pipe.html", says="something else than a file")
        for name in ("k/", "k", "/dev/null", "bare", "r.pdf"):
            self.refused(*report, name, says="expected a name that ends in .html")
        self.refused(*report, "y.html", "--keep", "k", says="demo-Q8_0.gguf exists")
        self.refused(*report, "y.html", "--keep", "k2", says="demo-fp8 exists")
        self.refused(*report, "y.html", "--keep", "file", says="--keep file: expected a folder, found a file")
        self.refused("check", DEMO, "--task", "t.jsonl", "--to", "q8_0,q8_0", "--no-speed", says="twice")
        self.refused(*report, "n" * 300 + ".html", says="too long")
        self.refused("run", DEMO, "--task", "t.jsonl", "-o", "n" * 253, says="too long")

    def test_reports_of_this_program_are_written_anew(self):
        self.check("--report", "r.html")
        first = (self.path / "r.html").read_text()
        self.check("--report", "r.html", to="q4_0")
        self.assertNotEqual(first, (self.path / "r.html").read_text())
        self.put("r.json")
        self.refused("check", DEMO, "--task", "t.jsonl", "--to", "q8_0", "--no-speed", "--report", "r.html", says="r.json exists")
        self.check("--report", "r.html", "--force")
        json.loads((self.path / "r.json").read_text())
        for name in "ab":
            self.ok("run", DEMO, "--task", "t.jsonl", "-o", name, "-q")
        self.ok("compare", "a", "b", "--report", "c.html", codes=(0, 3, 4))
        self.ok("compare", "a", "b", "--report", "c.html", codes=(0, 3, 4))
        self.put("d.html")
        self.refused("compare", "a", "b", "--report", "d.html", says="d.html exists")
        os.link(self.path / "a", self.path / "a.html")
        self.refused("compare", "a", "b", "--report", "a.html", "--force", says="replace the source")
        self.refused("compare", "a", "b", "--report", "no/c.html", says="its folder not opened")

    def test_what_is_read_is_never_replaced(self):
        shutil.copytree(DEMO, self.path / "m")
        self.quantize("s.gguf", "f16", "--shard", "6MB")
        shards = sorted(p.name for p in self.path.glob("s-*"))
        self.assertGreaterEqual(len(shards), 3)
        self.quantize("one.gguf")
        os.link(self.path / "one.gguf", self.path / "hard.gguf")
        (self.path / "soft.gguf").symlink_to("one.gguf")
        (self.path / "text.txt").write_text("some text to measure on " * 200)
        for out in ("m/model.safetensors", "m/tokenizer.json", "m/config.json"):
            self.refused("quantize", "m", "--to", "q8_0", "-o", out, "--force", says="replace the source")
        self.refused("quantize", "m", "--to", "fp8", "-o", "m", "--force", says="replace the source")
        self.refused("quantize", "m/config.json", "--to", "fp8", "-o", "m", "--force", says="source")
        for shard in shards:
            self.refused("quantize", shards[0], "--to", "q8_0", "-o", shard, "--force", says="replace the source")
        for out in ("one.gguf", "hard.gguf", "soft.gguf", "./one.gguf", f"../{self.path.name}/one.gguf"):
            self.refused("quantize", "one.gguf", "--to", "q4_0", "-o", out, "--force", says="replace the source")
        self.refused("quantize", "soft.gguf", "--to", "q4_0", "-o", "one.gguf", "--force", says="replace the source")
        self.put("p/config.json", "{}")
        shutil.copytree(DEMO, self.path / "p/inner")
        self.refused("quantize", "p/inner", "--to", "fp8", "-o", "p", "--force", says="place of the source")
        for out in ("t.jsonl", "one.gguf"):
            self.refused("run", "one.gguf", "--task", "t.jsonl", "-o", out, "--force", says="replace the source")
            os.link(self.path / out, self.path / f"{out}.html")  # an ending that a report may have
            self.refused("check", "one.gguf", "--task", "t.jsonl", "--to", "q4_0", "--report", f"{out}.html", "--force", says="replace the source")
        (self.path / "text.txt").rename(self.path / "text.md")
        self.refused("check", DEMO, "--task", "t.jsonl", "--text", "text.md", "--to", "q4_0", "--report", "text.md", "--force", says="replace the source")
        self.refused("check", DEMO, "--task", "t.jsonl", "--candidate", "one.gguf", "--report", "one.gguf.html", "--force", says="replace the source")
        (self.path / "k").mkdir()
        os.link(self.path / "one.gguf", self.path / "k/demo-Q8_0.gguf")
        self.refused("check", DEMO, "--task", "t.jsonl", "--to", "q8_0", "--candidate", "one.gguf", "--keep", "k", "--force", says="replace the source")
        self.ok("run", DEMO, "--task", "t.jsonl", "-o", "x", "-q")
        before = sha(self.base / "cache/results.sqlite")
        self.refused("run", DEMO, "--task", "t.jsonl", "-o", self.base / "cache/results.sqlite", "--force", says="replace the source")
        self.assertEqual(before, sha(self.base / "cache/results.sqlite"))

    def test_links_are_never_replaced(self):
        self.put("v")
        (self.path / "to-v").symlink_to("v")
        (self.path / "dangling").symlink_to("nowhere")
        (self.path / "to-v.html").symlink_to("v")
        (self.path / "dangling.html").symlink_to("nowhere")
        (self.path / "real").mkdir()
        (self.path / "folder").symlink_to("real")
        for name in ("to-v", "dangling"):
            for force in ((), ("--force",)):
                self.refused("quantize", DEMO, "--to", "q8_0", "-o", name, *force, says=name)
                self.refused("run", DEMO, "--task", "t.jsonl", "-o", name, *force, says=name)
                self.refused("check", DEMO, "--task", "t.jsonl", "--to", "q8_0", "--report", f"{name}.html", *force, says=name)
        self.refused("quantize", DEMO, "--to", "fp8", "-o", "folder", "--force", says="a link of that name")

    # --- at once, in the middle ---

    def test_two_writers_of_one_output(self):
        formats = ("q8_0", "q4_0", "f16", "q2_k")
        made = {}
        for name in formats:
            self.quantize(f"ref-{name}.gguf", name)
            made[sha(self.path / f"ref-{name}.gguf")] = name
        pick = random.Random(3)
        told = 0
        for _ in range(12):
            pair = pick.sample(formats, 2)
            children = []
            for name in pair:
                children.append(subprocess.Popen([ASSAY, "quantize", str(DEMO), "--to", name, "-o", "o.gguf", "--force", "--threads", "1", "-q"],
                                                 cwd=self.path, env=self.env, stderr=subprocess.PIPE, text=True))
                time.sleep(pick.uniform(0, .2))
            ends = [(child.communicate()[1], child.returncode) for child in children]
            good = [name for name, (_, code) in zip(pair, ends) if code == 0]
            self.assertIn(made.get(sha(self.path / "o.gguf")), good, ends)
            for text, code in ends:
                if code:
                    told += 1
                    self.assertIn("another process is writing", text)
            (self.path / "o.gguf").unlink()
        self.assertFalse([p for p in self.path.iterdir() if p.name.endswith(".part")])

    def test_two_checks_on_one_cache(self):
        children = [subprocess.Popen([ASSAY, "check", str(DEMO), "--task", "t.jsonl", "--to", "q4_0,fp8,q2_k", "--no-speed", "--threads", "1", "--json",
                                      "--report", f"r{i}.html"], cwd=self.path, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                    for i in range(3)]
        verdicts = set()
        for child in children:
            out, error = child.communicate()
            self.assertIn(child.returncode, (0, 3, 4), error)
            verdicts.add(json.dumps(json.loads(out)["verdicts"], sort_keys=True))
        self.assertEqual(len(verdicts), 1)
        same = [subprocess.Popen([ASSAY, "check", str(DEMO), "--task", "t.jsonl", "--to", "q5_k_m", "--no-speed", "--threads", "1", "-q"], cwd=self.path,
                                 env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for i in range(2)]
        for text, code in [(child.communicate()[1], child.returncode) for child in same]:
            self.assertIn(code, (0, 1, 3, 4))
            if code == 1:
                self.assertIn("another process is writing", text)

    def test_kills_leave_the_old_or_the_new(self):
        """Killed at any time, with the same name again: a folder and a file are always the old or the new, and whole."""
        for out, formats in (("m", ("fp8", "int8-w8a8")), ("m.gguf", ("q8_0", "q4_0"))):
            prints = set()
            for name in formats:
                self.quantize(out, name, "--force")
                prints.add(self.fingerprint(out))
            if out == "m":
                self.put("m/notes")
            start = time.time()
            self.quantize(out, formats[0], "--force")
            whole = time.time() - start
            pick = random.Random(1)
            for i in range(15):
                child = subprocess.Popen([ASSAY, "quantize", str(DEMO), "--to", formats[i % 2], "-o", out, "--force", "--threads", "1", "-q"], cwd=self.path,
                                         env=self.env, stderr=subprocess.DEVNULL)
                time.sleep(pick.uniform(0.3, 1.05) * whole)
                child.kill()
                child.wait()
                self.assertIn(self.fingerprint(out), prints)
                if out == "m":
                    self.assertEqual((self.path / "m/notes").read_text(), PRECIOUS)
            left = [p.name for p in self.path.iterdir() if p.name.startswith(out + ".") and p.name.endswith(".part")]
            if left:
                again = self.ok("quantize", DEMO, "--to", formats[0], "-o", out, "--force")
                if out + ".journal.part" not in left:  # killed before it began
                    self.assertIn("left by a process that was killed", again.stderr)
            self.assertFalse((self.path / (out + ".journal.part")).exists())

    def fingerprint(self, model):
        return json.loads(self.ok("inspect", model, "--json").stdout)["fingerprint"]

    def test_killed_outputs_are_continued(self):
        """kill -9 in the middle of the rows: the same command goes on, to the same bytes."""
        for out, name in (("o.gguf", "q2_k"), ("f", "nf4")):
            self.quantize("whole", name)
            whole = self.hashes("whole")
            continued = 0
            for _ in range(20):
                child = subprocess.Popen([ASSAY, "quantize", str(DEMO), "--to", name, "-o", out, "--threads", "1", "-q"], cwd=self.path, env=self.env)
                journal = self.path / (out + ".journal.part")
                while child.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < 2):
                    pass
                child.kill()
                child.wait()
                if journal.exists():
                    again = self.ok("quantize", DEMO, "--to", name, "-o", out)
                    continued += "continued at tensor" in again.stderr
                self.assertEqual(self.hashes(out), whole)
                self.assertEqual([p.name for p in self.path.iterdir() if p.name.endswith(".part")], [])
                self.remove(out)
                if continued == 2:
                    break
            self.assertEqual(continued, 2)
            self.remove("whole")

    def hashes(self, out):
        path = self.path / out
        return [(str(p.relative_to(path)), sha(p)) for p in sorted(path.rglob("*")) if p.is_file()] if path.is_dir() else sha(path)

    def remove(self, out):
        shutil.rmtree(self.path / out) if (self.path / out).is_dir() else (self.path / out).unlink()

    def test_signals_leave_what_is_continued(self):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            for out, name in (("o.gguf", "q2_k"), ("f", "fp8")):
                child = subprocess.Popen([ASSAY, "quantize", str(DEMO), "--to", name, "-o", out, "--threads", "1", "-q"], cwd=self.path, env=self.env,
                                         stderr=subprocess.PIPE, text=True)
                deadline = time.time() + 60
                while time.time() < deadline and child.poll() is None and not list(self.path.glob(out + ".*.part")):
                    time.sleep(0.001)
                child.send_signal(number)
                error = child.communicate()[1]
                if child.returncode == 0:
                    self.remove(out)
                    continue
                self.assertEqual(child.returncode, 130, error)
                left = {p.name for p in self.path.iterdir()} - {"t.jsonl"}
                self.assertFalse((self.path / out).exists())
                self.assertIn(len(left), (0, 2), left)  # before the first rows: nothing
                if left:
                    self.assertIn(out + ".journal.part", left)
                    self.assertIn("continued at tensor", self.ok("quantize", DEMO, "--to", name, "-o", out).stderr)
                    self.remove(out)
                self.assertEqual([p.name for p in self.path.iterdir()], ["t.jsonl"])

    def test_pipe_that_nobody_reads(self):
        reading, writing = os.pipe()
        child = subprocess.Popen([ASSAY, "quantize", str(DEMO), "--to", "q2_k", "-o", "o.gguf", "--threads", "1"], cwd=self.path, env=self.env, stderr=writing,
                                 stdout=subprocess.DEVNULL)
        os.close(writing)
        os.close(reading)
        child.wait()
        self.assertIn(child.returncode, (0, -signal.SIGPIPE))
        self.assertFalse(list(self.path.glob("*.part")))

    def test_interrupted_run_goes_on_without_force(self):
        shutil.copy(DEMO / "task.jsonl", self.task)
        child = subprocess.Popen([ASSAY, "run", str(DEMO), "--task", "t.jsonl", "-o", "r", "--no-cache", "--threads", "1", "--batch", "1", "-q"], cwd=self.path,
                                 env=self.env)
        part = self.path / "r.part"
        while child.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") < 3):
            time.sleep(0.002)
        child.kill()
        child.wait()
        self.assertFalse((self.path / "r").exists())
        again = self.ok("run", DEMO, "--task", "t.jsonl", "-o", "r", "--no-cache")
        self.assertIn("going on after", again.stderr)
        self.refused("run", DEMO, "--task", "t.jsonl", "-o", "r", says="r exists")
        self.ok("run", DEMO, "--task", "t.jsonl", "-o", "r", "--force", "-q")
        other = json.loads((self.path / "r").read_text().splitlines()[0])
        other["build"] = "another build"
        (self.path / "s.part").write_text(json.dumps(other, separators=(",", ":")) + "\n")
        self.assertIn("s.part.stale", self.ok("run", DEMO, "--task", "t.jsonl", "-o", "s").stderr)
        self.assertIn("another build", (self.path / "s.part.stale").read_text())

    # --- the cache ---

    def slow_run(self, model, out, *more):
        return subprocess.Popen([ASSAY, "run", model, "--task", "t.jsonl", "-o", out, "--threads", "1", "-q", "--batch", "1", *more], cwd=self.path,
                                env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answers(self, out):
        return {x["id"]: x["answer"] for x in map(json.loads, (self.path / out).read_text().splitlines()) if "id" in x}

    def test_model_that_changes_while_it_runs(self):
        shutil.copy(DEMO / "task.jsonl", self.task)
        self.quantize("m.gguf", "f16")
        self.slow_run("m.gguf", "truth", "--no-cache").communicate()

        def overwrite(path):
            with open(path, "r+b") as file:
                file.seek(2_000_000)
                file.write(b"\0" * 9_000_000)

        def overwrite_and_set_time_back(path):
            times = os.stat(path)
            overwrite(path)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

        def replace(path):
            shutil.copy(self.path / "truth", str(path) + ".new")
            os.rename(str(path) + ".new", path)

        def cut(path):
            os.truncate(path, 3_000_000)

        for change in (overwrite, overwrite_and_set_time_back, replace, cut):
            with self.subTest(change=change.__name__):
                shutil.copy(self.path / "m.gguf", self.path / "x.gguf")
                shutil.rmtree(self.base / "cache", ignore_errors=True)
                child = self.slow_run("x.gguf", "during-" + change.__name__)
                part = self.path / f"during-{change.__name__}.part"
                while child.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") < 4):
                    time.sleep(0.002)
                change(self.path / "x.gguf")
                error = child.communicate()[1]
                self.assertEqual(child.returncode, 1, error)
                self.assertIn("x.gguf", error)
                self.assertFalse((self.path / f"during-{change.__name__}").exists())
                self.slow_run("m.gguf", "after", "--force").communicate()
                self.assertEqual(self.answers("after"), self.answers("truth"))

    def test_cached_quants_are_verified(self):
        verdict = lambda *more: json.loads(self.ok("check", DEMO, "--task", "t.jsonl", "--to", "q4_0", "--no-speed", "--json", "-q", *more, codes=(0, 3, 4)).stdout)["verdicts"]
        right = verdict()
        file = next((self.base / "cache/quants").rglob("q4_0.gguf"))
        good = sha(file)
        def flip():
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
        def cut():
            os.truncate(file, 1_000_000)
        def other():
            file.write_bytes(b"not a model")
        for damage in (flip, cut, other, file.unlink):
            damage()
            self.assertEqual(verdict(), right)
            self.assertEqual(sha(file), good)
        flip()
        bad = sha(file)
        self.assertEqual(verdict("--no-cache"), right)
        self.assertEqual(sha(file), bad)
        folder = next((self.base / "cache/quants").iterdir())
        self.check(to="fp8")
        weights = folder / "fp8/model.safetensors"
        good = sha(weights)
        (folder / "fp8/config.json").unlink()
        os.truncate(weights, 100)
        self.check(to="fp8")
        self.assertEqual(sha(weights), good)

    def test_kept_models_are_taken_up_again(self):
        keep = ("--keep", "k", "--report", "r.html")
        self.check(*keep, to="q8_0,fp8")
        kept = self.path / "k/demo-Q8_0.gguf"
        folder = next(p for p in (self.path / "k").iterdir() if p.is_dir())
        first = (kept.stat().st_ino, kept.stat().st_mtime_ns)
        shutil.rmtree(folder)  # as if the command had been stopped after the first
        self.check(*keep, to="q8_0,fp8")
        self.assertEqual((kept.stat().st_ino, kept.stat().st_mtime_ns), first)
        self.assertTrue((folder / "config.json").exists())
        self.check(*keep, "--force", to="q8_0,fp8")  # asked for: made anew
        self.assertNotEqual(kept.stat().st_ino, first[0])
        # What this program did not write there is another matter.
        self.put("elsewhere/notes")
        shutil.copy(kept, self.path / "elsewhere")
        words = ("check", DEMO, "--task", "t.jsonl", "--to", "q8_0,fp8", "--no-speed", "--report", "r.html", "--keep")
        self.refused(*words, "elsewhere", says="demo-Q8_0.gguf exists")
        self.refused(*words, "k", "--no-cache", says="demo-Q8_0.gguf exists")
        data = bytearray(kept.read_bytes())
        data[len(data) // 2] ^= 1
        kept.write_bytes(data)
        self.refused(*words, "k", says="demo-Q8_0.gguf exists")

    def test_what_is_in_the_way_of_a_kept_model_is_told_first(self):
        """Before the model is loaded, which -v tells, not when hours of answers are there."""
        words = ("check", DEMO, "--task", "t.jsonl", "--no-speed", "--report", "r.html", "--keep", "k", "-v", "--to")
        (self.path / "k").mkdir()
        self.quantize("k/demo-fp8", "fp8")
        self.put("k/demo-fp8/model-00007-of-00009.safetensors")
        self.put("k/demo-fp8/chat_template.json")
        for force, says in (((), "demo-fp8 exists"), (("--force",), "holds chat_template.json, model-00007-of-00009.safetensors, which the new model has not")):
            before = self.tree()
            result = self.run_(*words, "q8_0,fp8", *force)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn(says, result.stderr)
            self.assertNotIn("bits per weight", result.stderr)
            self.assertEqual(before, self.tree())
        self.assertIn("bits per weight", self.ok(*words, "q8_0", codes=(0, 3, 4)).stderr)

    def test_what_killed_processes_left(self):
        self.check(to="q4_0,fp8")
        folder = next((self.base / "cache/quants").iterdir())
        self.assertEqual(sorted(p.name for p in folder.iterdir()), ["fp8", "fp8.lock", "q4_0.gguf", "q4_0.gguf.lock"])
        (folder / "q4_0.gguf").rename(folder / "q4_0.gguf.abcdefgh.part")
        (folder / "fp8").rename(folder / "fp8.abcdefgh.part")
        self.check(to="q4_0,fp8")
        self.assertEqual(sorted(p.name for p in folder.iterdir()), ["fp8", "fp8.lock", "q4_0.gguf", "q4_0.gguf.lock"])
        self.put("c.html.abcdefgh.part")
        self.put("k/demo-Q4_0.gguf.abcdefgh.part")
        for name in "ab":
            self.ok("run", DEMO, "--task", "t.jsonl", "-o", name, "-q")
        told = self.ok("compare", "a", "b", "--report", "c.html", codes=(0, 3, 4)).stderr
        self.assertIn("c.html.abcdefgh.part: seems to be left", told)
        told = self.ok("check", DEMO, "--task", "t.jsonl", "--to", "q4_0", "--no-speed", "--keep", "k", codes=(0, 3, 4)).stderr
        self.assertIn("demo-Q4_0.gguf.abcdefgh.part: seems to be left", told)
        self.assertEqual((self.path / "c.html.abcdefgh.part").read_text(), PRECIOUS)

    def test_cache_without_a_place_for_models(self):
        (self.base / "cache").mkdir()
        (self.base / "cache/quants").write_text("in the way")
        result = self.ok("check", DEMO, "--task", "t.jsonl", "--to", "q8_0,fp8", "--no-speed", codes=(0, 3, 4))
        for name in ("q8_0", "fp8"):
            self.assertIn(name + " is not kept in the cache", result.stderr)

    def test_build_is_in_every_key(self):
        self.assertRegex(subprocess.run([ASSAY, "--version"], capture_output=True, text=True).stdout,
                         r"build [0-9a-f]{12}\)")

    def test_works_without_a_cache(self):
        places = {"a file": str(self.task), "below a file": str(self.task / "x"), "in /proc": "/proc/nothing", "too long": str(self.base / ("n" * 300))}
        for what, place in places.items():
            with self.subTest(what):
                result = self.ok("check", DEMO, "--task", "t.jsonl", "--to", "q8_0", "--no-speed", codes=(0, 3, 4), env={**self.env, "ASSAY_CACHE": place})
                self.assertIn("going on without a cache", result.stderr)
                self.assertNotIn("unexpected", result.stderr)
        bare = {key: value for key, value in self.env.items() if key not in ("HOME", "ASSAY_CACHE", "XDG_CACHE_HOME")}
        for env in (bare, {**bare, "HOME": ""}, {**bare, "XDG_CACHE_HOME": "relative"}):
            result = self.ok("check", DEMO, "--task", "t.jsonl", "--to", "q8_0", "--no-speed", codes=(0, 3, 4), env=env)
            self.assertIn("going on without a cache", result.stderr)
        self.assertEqual(sorted(p.name for p in self.path.iterdir()), ["assay-report.html", "assay-report.json", "t.jsonl"])

    def test_cache_is_for_its_owner(self):
        self.ok("run", DEMO, "--task", "t.jsonl", "-o", "r", "-q", env={**self.env, "ASSAY_CACHE": "", "XDG_CACHE_HOME": str(self.base / "xdg")})
        self.assertEqual(stat.S_IMODE((self.base / "xdg/assay").stat().st_mode), 0o700)

    # --- streams, disks, links ---

    def test_streams_that_are_full_or_closed(self):
        for command in (["inspect", str(DEMO)], ["--help"], ["--version"], ["formats"], ["generate", str(DEMO), "abc", "--raw", "--max-tokens", "2"]):
            with open("/dev/full", "w") as full:
                result = subprocess.run([ASSAY, *command], stdout=full, stderr=subprocess.PIPE, text=True, env=self.env)
            self.assertEqual(result.returncode, 1, command)
            self.assertIn("standard output", result.stderr)
        subprocess.run(["sh", "-c", 'exec 2>&-; exec "$0" run "$1" --task t.jsonl -o closed', ASSAY, str(DEMO)], cwd=self.path, env=self.env, check=True,
                       stdout=subprocess.DEVNULL)
        for line in (self.path / "closed").read_text().splitlines():
            json.loads(line)
        result = subprocess.run(["sh", "-c", 'exec >&-; exec "$0" run "$1" --task t.jsonl -o closed2', ASSAY, str(DEMO)], cwd=self.path, env=self.env,
                                stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard output", result.stderr)
        for line in (self.path / "closed2").read_text().splitlines():
            json.loads(line)

    def test_full_disk_loses_nothing(self):
        small = self.path / "small"
        small.mkdir()
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True).returncode != 0:
            self.skipTest("needs to mount a file system")
        try:
            (small / "o.gguf").write_text(PRECIOUS)
            (small / "m").mkdir()
            (small / "m/config.json").write_text("{}")
            for command in (["quantize", DEMO, "--to", "q8_0", "-o", small / "o.gguf", "--force"], ["quantize", DEMO, "--to", "fp8", "-o", small / "m", "--force"],
                            ["quantize", DEMO, "--to", "q8_0", "-o", small / "new.gguf"]):
                result = self.run_(*command, "-q")
                self.assertEqual(result.returncode, 1)
                self.assertIn("No space left", result.stderr)
                self.assertEqual(sorted(p.name for p in small.iterdir()), ["m", "o.gguf"])
                self.assertEqual((small / "o.gguf").read_text(), PRECIOUS)
                self.assertEqual((small / "m/config.json").read_text(), "{}")
            self.refused("quantize", DEMO, "--to", "fp8", "-o", "small", "--force", says="something else than a model")
            (small / "config.json").write_text("{}")
            self.refused("quantize", DEMO, "--to", "fp8", "-o", "small", "--force", says="mount point")
            result = self.ok("run", DEMO, "--task", "t.jsonl", "-o", "r", env={**self.env, "ASSAY_CACHE": str(small / "cache")}, codes=(0,))
            result = self.ok("check", DEMO, "--task", "t.jsonl", "--to", "q8_0", "--no-speed", codes=(0, 3, 4), env={**self.env, "ASSAY_CACHE": str(small / "cache")})
            self.assertIn("q8_0 is not kept in the cache", result.stderr)
            subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
            result = self.ok("check", DEMO, "--task", "t.jsonl", "--to", "q8_0", "--no-speed", codes=(0, 3, 4), env={**self.env, "ASSAY_CACHE": str(small / "c")})
            self.assertIn("going on without a cache", result.stderr)
            self.refused("quantize", DEMO, "--to", "q8_0", "-o", small / "x.gguf", says="Read-only file system")
            self.refused("run", DEMO, "--task", "t.jsonl", "-o", small / "x", says="Read-only file system")
        finally:
            subprocess.run(["umount", str(small)], check=True)

    def test_links_out_of_a_model_are_not_copied(self):
        secret = self.put("secret")
        for name in ("LICENSE", "modeling_x.py", "additional_chat_templates/x.jinja", "vocab.json"):
            with self.subTest(name):
                shutil.rmtree(self.path / "m", ignore_errors=True)
                shutil.copytree(DEMO, self.path / "m")
                (self.path / "m" / name).parent.mkdir(exist_ok=True)
                (self.path / "m" / name).symlink_to(secret)
                self.refused("quantize", "m", "--to", "fp8", "-o", "o", says="leads out of the model's folder")
        # Within the folder, and in the layout of the hub cache, links are how files lie.
        hub = self.path / "models--org--demo"
        snapshot = hub / "snapshots" / "0123"
        snapshot.mkdir(parents=True)
        (hub / "blobs").mkdir()
        for file in DEMO.iterdir():
            shutil.copy(file, hub / "blobs" / (file.name + ".blob"))
            (snapshot / file.name).symlink_to(f"../../blobs/{file.name}.blob")
        (snapshot / "LICENSE").symlink_to("README.md")
        self.quantize("from-hub", "fp8", source=snapshot)
        self.assertFalse((self.path / "from-hub/LICENSE").is_symlink())
        self.refused("quantize", snapshot, "--to", "fp8", "-o", snapshot, "--force", says="replace the source")
        self.refused("quantize", snapshot, "--to", "q8_0", "-o", hub / "blobs/model.safetensors.blob", "--force", says="replace the source")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
