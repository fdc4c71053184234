#!/usr/bin/env python3
"""Packs the official JSON Schema test suite into tests/golden/json_schema/suite.json.

  python tools/golden/json_schema.py JSON_SCHEMA_TEST_SUITE tests/golden/json_schema

The suite: json-schema-org/JSON-Schema-Test-Suite at 44401e0c (MIT). Kept: all required tests of draft 2020-12, the remotes they name, and
those of optional/ that need no `format` assertion.
"""
import json
import pathlib
import sys

OPTIONAL = ["anchor", "bignum", "cross-draft", "dependencies-compatibility", "dynamicRef", "ecmascript-regex", "float-overflow", "id",
            "no-schema", "non-bmp-regex", "refOfUnknownKeyword", "unknownKeyword"]


def main():
    suite, out = map(pathlib.Path, sys.argv[1:3])
    draft = suite / "tests" / "draft2020-12"
    files = {path.stem: json.loads(path.read_text()) for path in sorted(draft.glob("*.json"))}
    files |= {f"optional/{name}": json.loads((draft / "optional" / f"{name}.json").read_text()) for name in OPTIONAL}
    for groups in files.values():
        for group in groups:
            group.pop("specification", None)
    remotes = {}
    for path in sorted((suite / "remotes" / "draft2020-12").rglob("*.json")):
        remotes["http://localhost:1234/" + str(path.relative_to(suite / "remotes"))] = json.loads(path.read_text())
    packed = {
        "provenance": "tools/golden/json_schema.py on json-schema-org/JSON-Schema-Test-Suite at 44401e0c, draft 2020-12",
        "licence": (suite / "LICENSE").read_text(),
        "remotes": remotes,
        "files": files,
    }
    (out / "suite.json").write_text(json.dumps(packed, ensure_ascii=False, separators=(",", ":")) + "\n")
    tests = {name: sum(len(group["tests"]) for group in groups) for name, groups in files.items()}
    optional = sum(count for name, count in tests.items() if name.startswith("optional/"))
    print(f"{sum(tests.values()) - optional} required tests, {optional} optional ones, {len(remotes)} remotes")


if __name__ == "__main__":
    main()
