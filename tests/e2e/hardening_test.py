#!/usr/bin/env python3
"""The program is built as SECURITY.md says, read off the file itself.

usage: hardening_test.py ASSAY CHECKOUT"""
import pathlib, re, subprocess, sys

program, root = sys.argv[1], str(pathlib.Path(sys.argv[2]).resolve())
def readelf(*flags):
    return subprocess.run(["readelf", "-W", *flags, program], check=True, capture_output=True, text=True).stdout

header, segments, dynamic, symbols = readelf("-h"), readelf("-l"), readelf("-d"), readelf("--dyn-syms")
stack = re.search(r"GNU_STACK.*", segments)
checks = {
    "position-independent executable": "Type:" in header and re.search(r"Type:\s+DYN", header),
    "relocations are read-only after start": "GNU_RELRO" in segments,
    "all symbols are bound at start": "BIND_NOW" in dynamic or re.search(r"FLAGS_1.*NOW", dynamic),
    "the stack is not executable": stack and " RWE " not in stack[0] and "RW " in stack[0],
    "no text relocations": "TEXTREL" not in dynamic,
    "no search path of libraries": "RPATH" not in dynamic and "RUNPATH" not in dynamic,
}
if "__asan_init" not in symbols and "libasan" not in dynamic:  # sanitizers replace these
    checks["stack protector"] = "__stack_chk_fail" in symbols
    checks["checked library calls"] = re.search(r"__(memcpy|memmove|snprintf|fprintf|read|vsnprintf)_chk", symbols)
    checks["no path of the checkout inside"] = root.encode() not in pathlib.Path(program).read_bytes()
failed = [name for name, holds in checks.items() if not holds]
print(f"{len(checks) - len(failed)} of {len(checks)} hold" + "".join(f"\nmissing: {name}" for name in failed))
sys.exit(1 if failed else 0)
