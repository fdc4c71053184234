#!/usr/bin/env python3
"""What comes with the program: manual pages, what shells complete, the installed tree.

usage: install_test.py ASSAY CHECKOUT"""
import os, pathlib, re, shutil, subprocess, sys, tempfile, unittest

ASSAY = pathlib.Path(sys.argv[1]).resolve()


def run(*arguments, **more):
    return subprocess.run([str(a) for a in arguments], capture_output=True, text=True, **more)


def commands():
    text = run(ASSAY, "--help").stdout
    return re.findall(r"^  ([a-z]+) ", text[text.index("Subcommands:"):], re.M)


class Extras(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)

    def complete(self, *words):
        """What bash offers for the last of the words."""
        script = (f'source <("{ASSAY}" completion bash); COMP_WORDS=({" ".join(repr(w) for w in words)}); '
                  f'COMP_CWORD={len(words) - 1}; _assay; printf "%s\\n" "${{COMPREPLY[@]}}"')
        result = run("bash", "-c", script, cwd=self.path)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return [line for line in result.stdout.split("\n") if line]

    def test_bash(self):
        (self.path / "quick.jsonl").touch()
        self.assertEqual(sorted(self.complete("assay", "")), sorted(commands()))
        self.assertEqual(self.complete("assay", "qu"), ["quantize"])
        self.assertIn("--task", self.complete("assay", "check", "m.gguf", "--ta"))
        self.assertEqual(self.complete("assay", "quantize", "m", "--to", "q4_k_"), ["q4_k_m", "q4_k_s"])
        self.assertEqual(self.complete("assay", "check", "m", "--to", "q8_0,q4_k_"), ["q8_0,q4_k_m", "q8_0,q4_k_s"])
        self.assertEqual(self.complete("assay", "completion", "z"), ["zsh"])
        self.assertIn("try", self.complete("assay", "task", "t"))
        self.assertIn("--answer", self.complete("assay", "task", "try", "--ans"))
        self.assertIn("--listen", self.complete("assay", "task", "capture", "--li"))
        self.assertEqual(self.complete("assay", "task", "--li"), [])
        self.assertEqual(self.complete("assay", "task", "check", "qui"), ["quick.jsonl"])

    @unittest.skipUnless(shutil.which("fish"), "no fish here")
    def test_fish(self):
        def offered(line):
            result = run("fish", "--no-config", "-c", f'"{ASSAY}" completion fish | source; complete -C "{line}"', cwd=self.path,
                         env={**os.environ, "HOME": str(self.path)})
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            return [text.split("\t")[0] for text in result.stdout.splitlines()]

        self.assertEqual(sorted(offered("assay ")), sorted(commands()))
        self.assertIn("q4_k_m", offered("assay quantize m --to q4_k"))
        self.assertIn("q8_0,q4_k_m", offered("assay check m --to q8_0,q4_k"))
        self.assertIn("try", offered("assay task t"))
        self.assertIn("--answer", offered("assay task try --ans"))

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh(self):
        result = run("zsh", "-f", "-c", f'autoload -U compinit && compinit -u -D; source <("{ASSAY}" completion zsh); print $_comps[assay]')
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("_assay", result.stdout)

    def test_manual(self):
        self.assertEqual(run(ASSAY, "manual", "--write", self.path / "man").returncode, 0)
        pages = sorted(p.name for p in (self.path / "man").iterdir())
        self.assertEqual(pages, sorted(["assay.1"] + [f"assay-{name}.1" for name in commands()]))
        again = run(ASSAY, "manual", "--write", self.path / "man")
        self.assertEqual(again.returncode, 1)
        self.assertIn("--force", again.stderr)
        self.assertEqual(run(ASSAY, "manual", "chekc").returncode, 1)
        page = run(ASSAY, "manual", "check").stdout
        self.assertEqual(page, (self.path / "man" / "assay-check.1").read_text())
        self.assertIn("\\-\\-candidate", page)
        self.assertIn("iq4_xs", page)
        self.assertNotIn("\n\n", page)
        for path in (self.path / "man").iterdir():
            for line in path.read_text().splitlines():  # a request, or text that cannot be taken for one
                self.assertTrue(not line.startswith((".", "'")) or re.match(r"\.(TH|SH|TP|BR|br|nf|fi)\b", line), line)
            if shutil.which("groff"):
                drawn = run("groff", "-Kutf8", "-man", "-Tutf8", "-ww", path)  # as man does
                self.assertEqual((drawn.returncode, drawn.stderr), (0, ""), path.name)
                self.assertIn("NAME", re.sub(".\x08", "", drawn.stdout))  # bold is printed twice

    def test_installed_tree(self):
        result = run("cmake", "--install", ASSAY.parent, "--prefix", self.path / "usr")
        self.assertEqual(result.returncode, 0, result.stderr)
        found = {str(p.relative_to(self.path / "usr")) for p in (self.path / "usr").rglob("*") if p.is_file()}
        for name in ("bin/assay", "share/man/man1/assay-check.1", "share/bash-completion/completions/assay", "share/zsh/vendor-completions/_assay",
                     "share/fish/vendor_completions.d/assay.fish", "share/doc/assay/copyright", "share/doc/assay/NOTICE",
                     "share/doc/assay/examples/demo/model.safetensors", "share/doc/assay/docs/tasks.md"):
            self.assertIn(name, found)
        version = run(self.path / "usr" / "bin" / "assay", "--version")
        self.assertEqual(version.stdout, run(ASSAY, "--version").stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
