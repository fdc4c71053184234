#!/usr/bin/env python3
"""Holds every #include of src/ against the table in cmake/house.cmake, and the table against them: a room includes itself, base and the
rooms that its row names, all below it, and none that it does not name; never a sibling on its floor, never upwards. Third-party headers of some libraries stay in .cc files,
only the console prints, and files are made, renamed and removed by system/ alone, whose rules keep users' files
(system/output.h)."""
import pathlib, re, sys

root = pathlib.Path(__file__).resolve().parent.parent
text = (root / "cmake/house.cmake").read_text()
uses, floor, floors = {}, None, {}
for line in text.splitlines():
    if m := re.match(r"# F(\d)", line):
        floor = int(m[1])
    if m := re.match(r"assay_room\((\w+)([^)]*)\)", line):
        uses[m[1]] = set(re.findall(r"room_(\w+)", m[2]))
        floors[m[1]] = floor


problems = []
for room, below in uses.items():
    for other in below:
        if floors[other] >= floors[room]:
            problems.append(f"cmake/house.cmake: {room} (F{floors[room]}) may not use {other} (F{floors[other]})")
used = {}
for path in sorted((root / "src").rglob("*")):
    if path.suffix not in (".h", ".cc", ".inc"):
        continue
    room = path.relative_to(root / "src").parts[0]
    allowed = set(uses) if room == "cli" else uses[room] | {room, "base"} if room in uses else set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if m := re.match(r'#include "(\w+)/', line):
            used.setdefault(room, set()).add(m[1])
            if m[1] in uses and m[1] not in allowed:
                problems.append(f"{path.relative_to(root)}:{number}: {room} may not include {m[1]}/")
        if path.suffix == ".h" and re.match(r"#include <(CLI/|nlohmann/|sqlite3|pcre2|utf8proc|openssl/|xxhash|boost/|curl/|httplib|yaml)", line):
            if str(path.relative_to(root)) != "src/base/json.h":
                problems.append(f"{path.relative_to(root)}:{number}: third-party headers stay in .cc files")
for room, below in uses.items():
    for other in sorted(below - used.get(room, set()) - {"base"}):
        problems.append(f"cmake/house.cmake: {room} names {other} and includes nothing of it")
for path in sorted((root / "src").rglob("*")):
    if path.suffix in (".h", ".cc") and len(path.read_text().splitlines()) > 800:
        problems.append(f"{path.relative_to(root)}: longer than 800 lines: split by concept")
# A folder is seen at a glance, or is a plain list: a file for each architecture.
for folder in sorted(p for p in (root / "src").rglob("*") if p.is_dir()):
    files = sum(p.is_file() for p in folder.iterdir())
    if files > 25 and folder != root / "src/describe/arch":
        problems.append(f"{folder.relative_to(root)}: {files} files: split by concept, at most 25")
# Pages name files that are there.
for page in [*sorted((root / "docs").rglob("*.md")), root / "README.md", root / "SECURITY.md"]:
    for named in sorted(set(re.findall(r"`((?:[a-z_0-9]+/)+[a-z_0-9]+\.(?:cc|h|inc))`", page.read_text()))):
        if not re.search(r"/(check_)?x\.", named) and not any((root / below / named).exists() for below in ("", "src", "src/checkpoint")):
            problems.append(f"{page.relative_to(root)}: names {named}, which is not there")
# Names and messages come from strangers' files: one place cleans what is printed.
printers = {"src/cli/console.cc", "src/cli/main.cc", "src/base/error.cc"}
for path in sorted((root / "src").rglob("*")):
    name = str(path.relative_to(root))
    if path.suffix not in (".h", ".cc") or name in printers:
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.search(r"\b(fprintf|fputs|fputc|puts|printf)\s*\(|std::(cout|cerr|clog)\b|, std(out|err)\)|STD(OUT|ERR)_FILENO\b.*write", line):
            problems.append(f"{name}:{number}: only the console prints (Print, Note, PrintError in cli/command.h)")
# What makes, renames or removes files. The database of results has a library of its own.
WRITES = re.compile(r"\b(ofstream|fstream\b(?!>)|fopen|freopen|O_CREAT|O_RDWR|O_TRUNC|renameat2?|::rename|fs::rename|std::rename|::unlink|unlinkat|fs::remove|"
                    r"std::remove\([^,]*\);|remove_all|filesystem::remove|rmdir|create_director\w+|mkdir|mkdtemp|mkstemp|copy_file|fs::copy|create_\w*link|::link\(|"
                    r"symlink\(|f?truncate\(\w+,|resize_file)")
for path in sorted((root / "src").rglob("*")):
    if path.suffix not in (".h", ".cc") or path.relative_to(root / "src").parts[0] == "system":
        continue
    name = str(path.relative_to(root))
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if WRITES.search(line.split("//")[0]):
            problems.append(f"{name}:{number}: files are written by system/ (output.h): {line.strip()}")
print("\n".join(problems) if problems else f"layers: {len(uses)} rooms, no include goes up or sideways")
sys.exit(1 if problems else 0)
