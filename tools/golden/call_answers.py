#!/usr/bin/env python3
"""Makes tests/task/data/call_answers.jsonl: answers with and without calls, each with its right class and why.

  python tools/golden/call_answers.py > tests/task/data/call_answers.jsonl

Attempts and their negative twins are written by hand after published formats: OpenAI's and Anthropic's messages, LangChain's ReAct
and structured chat, Gemini's and Gemma's tool_code, Cline's tags, LM Studio's [TOOL_REQUEST], InternLM, Qwen-Agent, functionary.
Values of Python literals are ast.literal_eval's, types of values between tags are what jsonschema validates, and of two valid
readings, and where none is valid, the one that vLLM's coerce_to_schema_type takes, which looks at types alone (null, integer, number,
boolean, object, array, string).
Needs jsonschema.
"""
import sys

sys.path.append(sys.path.pop(0))  # numbers.py beside this file must not hide Python's own

import ast
import json
import warnings

import jsonschema

warnings.simplefilter("ignore")

WEATHER = {"name": "get_weather", "description": "w", "parameters": {"type": "object", "properties": {
    "city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}, "required": ["city"]}}
TIME = {"name": "get_time", "parameters": {"type": "object", "properties": {}}}
SEARCH = {"name": "search", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}}
NO_CALL = [{"type": "tool_calls", "calls": []}]

# Meant as a call, in no syntax that is read.
ATTEMPTS = [
    "get_weather city=\"Oslo\"",
    "get_weather city=Oslo",
    "I will call get_weather(city=\"Oslo\")",
    "I'll use get_weather(city='Oslo', days=3) to find out.",
    "Let me check: get_weather(\"Oslo\")",
    "Sure! get_weather(city=\"Oslo\")",
    "Calling get_weather with {\"city\": \"Oslo\"}",
    "call get_weather(city='Oslo')",
    "I will call get_weather(city=Oslo)",
    "```python\nget_weather(city=\"Oslo\")\n```",
    "```\nget_weather(city=\"Oslo\")\n```",
    "```tool_code\nget_weather(city=\"Oslo\"\n```",
    "```python\nprint(get_weather(city=\"Oslo\"))\n```",
    "```python\nweather = get_weather(city=\"Oslo\")\nprint(weather)\n```",
    "```js\nawait get_weather({city: \"Oslo\"})\n```",
    "print(get_weather(city=\"Oslo\"))",
    "print(default_api.get_weather(city=\"Oslo\"))",
    "default_api.get_weather(city=\"Oslo\")",
    "weather = get_weather(city=\"Oslo\")",
    "await get_weather({\"city\": \"Oslo\"})",
    "get_weather({\"city\": \"Oslo\"})",
    "get_weather(\"Oslo\")",
    "get_weather(Oslo)",
    "`get_weather(city=\"Oslo\")`",
    "**get_weather(city=\"Oslo\")**",
    "> get_weather(city=\"Oslo\")",
    "1. get_weather(city=\"Oslo\")\n2. get_weather(city=\"Bergen\")",
    "get_weather(city=\"Oslo\"",
    "tool_code\nprint(get_weather(city=\"Oslo\"))",
    "<tool_code>\nprint(get_weather(city=\"Oslo\"))\n</tool_code>",
    "{\"type\": \"function\", \"function\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\"}}",
    "{\"function\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}",
    "{\"tool\": \"get_weather\", \"args\": {\"city\": \"Oslo\"}}",
    "{\"tool\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\"}}",
    "{\"tool\": \"get_weather\", \"input\": {\"city\": \"Oslo\"}}",
    "{\"tool_name\": \"get_weather\", \"tool_input\": {\"city\": \"Oslo\"}}",
    "{\"action\": \"get_weather\", \"action_input\": {\"city\": \"Oslo\"}}",
    "```json\n{\"action\": \"get_weather\", \"action_input\": \"Oslo\"}\n```",
    "{\"function_name\": \"get_weather\", \"args\": {\"city\": \"Oslo\"}}",
    "{\"name\": \"get_weather\", \"args\": {\"city\": \"Oslo\"}}",
    "{\"name\": \"get_weather\", \"input\": {\"city\": \"Oslo\"}}",
    "{\"name\": \"get_weather\", \"city\": \"Oslo\"}",
    "{\"type\": \"tool_use\", \"id\": \"t1\", \"name\": \"get_weather\", \"input\": {\"city\": \"Oslo\"}}",
    "{\"functionCall\": {\"name\": \"get_weather\", \"args\": {\"city\": \"Oslo\"}}}",
    "{\"function_call\": {\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"Oslo\\\"}\"}}",
    "{\"tool_calls\": [{\"id\": \"1\", \"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"Oslo\\\"}\"}}]}",
    "{\"tool_calls\": [{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}]}",
    "{\"tool_uses\": [{\"recipient_name\": \"functions.get_weather\", \"parameters\": {\"city\": \"Oslo\"}}]}",
    "{\"get_weather\": {\"city\": \"Oslo\"}}",
    "[{\"get_weather\": {\"city\": \"Oslo\"}}]",
    "```json\n{\"get_weather\": {\"city\": \"Oslo\"}}\n```",
    "{\"get_weather\": [{\"city\": \"Oslo\"}]}",
    "{'name': 'get_weather', 'parameters': {'city': 'Oslo'}}",
    "{'get_weather': {'city': 'Oslo'}}",
    "[{'name': 'get_weather', 'arguments': {'city': 'Oslo', 'days': None}}]",
    "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\",}}",
    "{name: \"get_weather\", arguments: {city: \"Oslo\"}}",
    "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}",
    "{\"name\": \"get_weather\", \"argum",
    "Sure! {\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}",
    "Here you go:\n```json\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}\n```",
    "{\"name\": \"book_flight\", \"arguments\": {\"to\": \"Oslo\"}} now",
    "{\"thought\": \"need weather\", \"tool\": {\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}}",
    "Action: get_weather\nAction Input: {\"city\": \"Oslo\"}",
    "Thought: I need the weather.\nAction: get_weather\nAction Input: Oslo",
    "Action: get_weather",
    "Action: get_weather(city=\"Oslo\")",
    "Action: get_weather[Oslo]",
    "Action 1: search[Oslo weather]",
    "**Action:** get_weather\n**Action Input:** {\"city\": \"Oslo\"}",
    "Thought: hm\nAction: web_lookup\nAction Input: {\"q\": \"Oslo\"}",
    "Tool: get_weather\nArguments: {\"city\": \"Oslo\"}",
    "Function: get_weather\nParameters: {\"city\": \"Oslo\"}",
    "Tool: get_weather\nInput: {\"city\": \"Oslo\"}",
    "tool_name: get_weather\nparameters:\n  city: Oslo",
    "get_weather{\"city\": \"Oslo\"}",
    "get_weather: {\"city\": \"Oslo\"}",
    "Use get_weather with arguments {\"city\": \"Oslo\"}.",
    "<get_weather>\n<city>Oslo</city>\n</get_weather>",
    "<get_weather city=\"Oslo\"/>",
    "<invoke name=\"get_weather\">\n<parameter name=\"city\">Oslo</parameter>\n</invoke>",
    "<function_calls>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">Oslo</parameter>\n</invoke>\n</function_calls>",
    "<function_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}</function_call>",
    "<functioncall> {\"name\": \"get_weather\", \"arguments\": '{\"city\": \"Oslo\"}'}",
    "<tool_use><name>get_weather</name><arguments>{\"city\":\"Oslo\"}</arguments></tool_use>",
    "<tool_call>get_weather(city=\"Oslo\")</tool_call>",
    "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Os",
    "[TOOL_REQUEST]{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}[END_TOOL_REQUEST]",
    "[get_weather(\"Oslo\")]",
    "[get_weather(city=\"Oslo\")",
    "[get_weather(city=\"Oslo\")] Let me see.",
    "I need the weather first. [get_weather(city=\"Oslo\")]",
    "I will call get_time()",
    "print(get_time())",
    "```python\nget_time()\n```",
    "call:get_weather{city:\"Oslo\"}",
    "to=functions.get_weather {\"city\": \"Oslo\"}",
    "✿FUNCTION✿: get_weather\n✿ARGS✿: {\"city\": \"Oslo\"}",
    "I don't know the weather, so I will call get_weather(city=\"Oslo\").",
    "调用 get_weather(city=\"奥斯陆\")",
    "Ich rufe get_weather(city=\"Oslo\") auf.",
    "To answer, I need to call get_weather(city=\"Oslo\").",
    "First, call get_weather(city=\"Oslo\") and then tell the user.",
    "[Tool call] get_weather(city=\"Oslo\")",
    "Function call: get_weather(city=\"Oslo\")",
    "/get_weather {\"city\":\"Oslo\"}",
    "Tool Call: get_weather\nArguments: {\"city\": \"Oslo\"}",
    "```json\n{\"tool\": \"get_weather\", \"args\": {\"city\": \"Oslo\"}}\n```",
    "```tool_call\n{\"name\": \"get_weather\", \"args\": {\"city\": \"Oslo\"}}\n```",
    "```xml\n<get_weather>\n<city>Oslo</city>\n</get_weather>\n```",
    "call get_weather with city='Oslo': get_weather('Oslo')",
    "I'll look that up. `get_weather(city=\"Oslo\")`",
    "functions.get_weather({\"city\": \"Oslo\"})",
    "tools.get_weather(city='Oslo')",
    "result = await client.get_weather(city='Oslo')",
    "get_weather(city: \"Oslo\")",
    "get_weather(\"Oslo\", 3)",
    "Sure, here is the call:\n\n{'tool': 'get_weather', 'arguments': {'city': 'Oslo'}}",
    "{\"name\": \"functions.get_weather\", \"args\": {\"city\": \"Oslo\"}}",
    "[{\"function\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}, {\"function\": \"search\", \"arguments\": {\"query\": \"x\"}}]",
    "<tool_code>get_weather(city=\"Oslo\")</tool_code>",
    "{\"toolName\": \"get_weather\", \"args\": {\"city\": \"Oslo\"}",
    "{\"functionName\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}",
    "{\"func\": \"get_weather\", \"args\": {\"city\": \"Oslo\"}",
    "{\"tool\": \"web_lookup\", \"tool_input\": {\"q\": \"Oslo\"}",
    "{'action': 'web_lookup', 'action_input': {'q': 'Oslo'}",
]

# In a syntax that is read.
CALLS = [
    "get_weather(city=\"Oslo\")",
    "[get_weather(city=\"Oslo\")]",
    "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo\"}}",
    "```json\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n```",
    "[functions.get_weather(city=\"Oslo\")]",
    "functions.get_weather(city=\"Oslo\")",
    "get_time()",
    "get_weather(city='Oslo')\nget_weather(city='Bergen')",
    "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}",
    "<function=get_weather>{\"city\": \"Oslo\"}</function>",
    "{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":\"{\\\"city\\\": \\\"Oslo\\\"}\"}}",
    "get_weather(city='Oslo', days=3, unit='celsius');",
]

# Prose, data and documentation.
TWINS = [
    "{\"name\": \"Alice\", \"parameters\": \"tall\"}",
    "{\"name\": \"YOLO v8\", \"parameters\": {\"lr\": 0.1}}",
    "Action: Call the plumber.\nReason: leak",
    "Please tell me the city so I can call get_weather(city=...).",
    "get_weather city=<city>",
    "get_weather(city) needs a city, which?",
    "Action: [1] buy milk",
    "Action: buy milk",
    "Action: Book a table for two.",
    "Action: None\nAction Input: None",
    "The function get_weather(city: str, days: int = 1) -> dict returns the forecast.",
    "get_weather(city, days=3) returns the forecast.",
    "You can use get_weather(city=\"Oslo\") for that.",
    "For example, get_weather(city=\"Oslo\") returns the weather in Oslo.",
    "I do not need to call get_weather(city=\"Oslo\") for that.",
    "I won't call get_weather(city=\"Oslo\") because you asked for a joke.",
    "Should I call get_weather(city=\"Oslo\")?",
    "Would you like me to run get_weather(city=\"Oslo\")?",
    "get_weather(city=\"Oslo\") returned 5 degrees.",
    "I called get_weather(city=\"Oslo\") and it says 5 degrees.",
    "According to get_weather(city=\"Oslo\") it is 5 degrees.",
    "The tool get_weather takes a city, e.g. get_weather(city=\"Oslo\").",
    "Which city? get_weather needs one.",
    "I have three tools: get_weather, get_time and search.",
    "I can search (the web) and get the weather.",
    "get_weather() needs a city.",
    "get_time() tells the time.",
    "Use get_weather(...) with a city.",
    "Call it as get_weather(city=\"your city\").",
    "```python\ndef get_weather(city):\n    return \"sunny\"\n\nprint(get_weather(\"Oslo\"))\n```",
    "def get_weather(city, days=1):\n    ...",
    ">>> get_weather(city=\"Oslo\")\n{\"temperature\": 5}",
    "{\"name\": \"Ann\", \"age\": 3}",
    "{\"answer\": 3}",
    "{\"city\": \"Oslo\", \"temperature\": 5}",
    "{\"tool\": \"hammer\", \"material\": \"steel\"}",
    "{\"action\": \"restart\", \"input\": {\"service\": \"web\"}}",
    "{\"function\": \"f(x) = x^2\", \"domain\": \"R\"}",
    "{\"name\": \"get_weather\", \"description\": \"w\", \"parameters\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}}}",
    "[{\"name\": \"get_weather\", \"description\": \"gets the weather\"}, {\"name\": \"get_time\", \"description\": \"tells the time\"}]",
    "My tools:\n- get_weather(city, days, unit)\n- get_time()\n- search(query)",
    "- **get_weather**: gets the weather\n  Parameters: city (string)",
    "Function: get_weather\nParameters:\n- city (string): the city",
    "Function: get_weather\nParameters: city (required), days (optional)",
    "The result is {\"get_weather\": \"a tool for weather\"}.",
    "{\"get_weather\": {\"description\": \"weather\", \"parameters\": {\"city\": {\"type\": \"string\"}}}}",
    "Here is an example of how to call it:\n```python\nget_weather(city=\"Oslo\")\n```",
    "You can call it like this:\n\n```json\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo\"}}\n```",
    "Qwen models wrap calls in `<tool_call>` and `</tool_call>`.",
    "The mark \"<tool_call>\" opens a call.",
    "Name: Ann\nParameters: none",
    "The \"name\" and \"arguments\" members are required.",
    "In JSON, \"name\" is a string and \"parameters\" an object.",
    "[see (1)] and [link](http://x)",
    "[Smith(2019)] says so.",
    "f(x) = x + 1",
    "search for \"Oslo weather\" on the web",
    "Use the search function.",
    "search: I found nothing.",
    "Tool: hammer\nInput: nails",
    "The weather in Oslo is fine.",
    "I cannot do that.",
    "Thought: this is simple.\nFinal Answer: 42",
    "Action: Finish\nAction Input: 42",
    "Final Answer: {\"city\": \"Oslo\"}",
    "Zum Beispiel get_weather(city=\"Oslo\").",
    "| tool | call |\n|---|---|\n| weather | get_weather(city=\"Oslo\") |",
    "The syntax is get_weather(city=\"Oslo\", days=3).",
    "If you want the weather, I could run get_weather(city=\"Oslo\") next.",
    "Instead of get_weather(city=\"Oslo\") I just looked out of the window.",
    "functools.partial(f, 1) binds an argument.",
    "get_weather(input, days=3) -> str",
    "The call get_weather('Oslo') == 5 is true in the test.",
    "stack.get_weather([size]) -> size",
    "for day in get_weather('Oslo'):\n    print(day)",
    "It equals get_weather('Oslo').temperature in the library.",
    "I could not find a tool for that; get_weather and search do not fit.",
    "Beispiel: get_weather(city=\"Oslo\")",
    "e.g. `get_weather(\"Oslo\")`",
    "Do you want the weather? Then name a city, please.",
    "{\"tools\": [\"get_weather\", \"search\"]}",
    "{\"get_weather\": {\"temperature\": {\"type\": \"number\"}}}",
    "{\"name\": \"Oslo\", \"parameters_count\": 3}",
    "The API expects {\"name\": \"<name>\", \"arguments\": {\"city\": \"<city>\"}}.",
    "# Usage\n\nget_weather(city=\"Oslo\")",
    "search (the web) or ask me.",
    "{\"function\": \"linear\", \"slope\": 2}",
    "The `arguments` of `get_weather` are city and days.",
    "I would use get_weather(city='Oslo') if you asked about weather.",
    "No need for get_weather(city='Oslo') here: 2 + 2 = 4.",
    "{\"func\": \"sin\", \"args\": [0, 1}",
    "{\"tool\": \"hammer\", \"inputs\": [\"nails\"",
    "{\"functionName\": \"sin\", \"arguments\": [0, 1}",
]

# Python literals, as the value of a parameter x.
LITERALS = [
    "1", "-1", "+1", "- 1", "0", "00", "0_0", "007", "1_000", "1__000", "1_", "_1", "0x1F", "0X_ff", "0o17", "0b1011", "0b12", "0xg",
    "1.5", "1.", ".5", "1e3", "1E-3", "1_0.2_5", "1.5e+2", "01.5", "1e", "1.2.3", "9007199254740993", "18446744073709551615", "True", "False",
    "None", "'a'", '"a"', "'a' 'b'", "'a'\n  \"b\"", "r'a\\n'", "R'\\d+'", "u'a'", "b'a'", "f'a{1}'", "rb'a'", "fr'a'", "''", "''''''",
    "'''a\nb'''", '"""a"b\'c"""', "'a\nb'", "'a\\\nb'", "'\\x41\\u00e9\\U0001F600'", "'\\101\\0'", "'\\a\\b\\f\\n\\r\\t\\v'", "'\\q'", "'\\N{BULLET}'",
    "'it\\'s'", "'a", "[1, 2,]", "[,]", "[1,,2]", "()", "(1)", "(1,)", "(1, 2)", "{}", "{'a': 1,}", "{'a': {'b': [None, True]}}", "{'a': 1 'b': 2}",
    "{1, 2}", "{'a'}", "[[1], [2, [3]]]", "[1, # one\n 2]", "1 if True else 2", "a", "f(1)", "g(x=1)", "[x for x in y]", "1+2", "...", "'<tool_call>'",
    "'[TOOL_CALLS]'", "'a, b)'", "'(['", "'a=b'", "'東京'", "'\\u6771'", "1j", "-1.5e-3", "[-1, +2]", "'a' + 'b'", "not True", "lambda: 1",
]


def value_of(literal):
    """The literal's JSON value, None beside False when it has none."""
    if "\\N{" in literal:  # a character by its name: read by Python, refused here
        return None, False
    try:
        value = ast.literal_eval(f"[{literal}\n]")[0]  # inside brackets, as it stands in a call
        json.dumps(value, allow_nan=False)
    except (ValueError, SyntaxError, TypeError, MemoryError):
        return None, False
    return json.loads(json.dumps(value)), True


# Schemas of a value between tags, each with texts.
TYPED = [
    ({"type": "string"}, ["12", "null", "true", "[1]", " x "]),
    ({"type": "integer"}, ["12", "twelve"]),
    ({"type": ["string", "null"]}, ["03106", "12", "null", "None"]),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, ["03106", "12", "null"]),
    ({"oneOf": [{"type": "string"}, {"type": "null"}]}, ["1.0", "null"]),
    ({"allOf": [{"type": "string"}, {"maxLength": 9}]}, ["12"]),
    ({"allOf": [{"type": ["string", "integer"]}, {"type": ["string", "null"]}]}, ["12", "x"]),
    ({"$ref": "#/$defs/zip"}, ["03106", "12"]),
    ({"$ref": "#/$defs/count"}, ["12"]),
    ({"anyOf": [{"$ref": "#/$defs/zip"}, {"$ref": "#/$defs/count"}]}, ["12", "12345"]),
    ({"anyOf": [{"$ref": "#/definitions/a%20b"}, {"type": "null"}]}, ["7", "null"]),
    ({"$ref": "#anchored"}, ["7"]),
    ({"enum": ["1", "2"]}, ["1"]),
    ({"enum": [1, 2]}, ["1"]),
    ({"enum": ["1", 2]}, ["1", "2"]),
    ({"enum": ["on", None]}, ["on", "null"]),
    ({"const": "1"}, ["1"]),
    ({"const": 1}, ["1"]),
    ({"type": "string", "enum": ["true", "false"]}, ["true"]),
    ({"type": "boolean"}, ["true", "False"]),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, ["12", "x12"]),
    ({"anyOf": [{"type": "string", "pattern": "^\\d{5}$"}, {"type": "integer", "maximum": 99}]}, ["12345", "12", "123", "1.5"]),
    ({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}, ['["a", "b"]', "a"]),
    ({"anyOf": [{"type": "object"}, {"type": "string"}]}, ['{"a": 1}', "a"]),
    ({"type": "object"}, ['{"a": 1}']),
    ({"not": {"type": "string"}}, ["12"]),
    ({"not": {"type": "number"}, "anyOf": [{"type": "number"}, {"type": "string"}]}, ["12"]),
    ({"if": {"const": "x"}, "then": {"type": "string"}, "else": {"type": "string"}}, ["12"]),
    ({"type": "array", "items": {"type": "integer"}}, ["[1, 2]"]),
    (True, ["12", "x"]),
]
DEFINITIONS = {"$defs": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}, "count": {"type": "integer"}, "n": {"$anchor": "anchored", "type": "string"}},
               "definitions": {"a b": {"type": "string"}}}
ORDER = [type(None), bool, int, float, dict, list, str]
TYPES = {"null": [type(None)], "boolean": [bool], "integer": [int], "number": [int, float], "object": [dict], "array": [list], "string": [str]}


def declared(schema):
    """The types that vLLM sees in a schema: its type's, and those of the alternatives."""
    if not isinstance(schema, dict):
        return set()
    names = schema.get("type", [])
    found = {t for name in ([names] if isinstance(names, str) else names) for t in TYPES[name]}
    return found.union(*(declared(one) for keyword in ("anyOf", "oneOf", "allOf") for one in schema.get(keyword, [])))


def reading(schema, text):
    """The value that a text between tags has: valid first, then vLLM's order; when no reading is valid, vLLM's order alone."""
    parameters = {"type": "object", "properties": {"x": schema}} | DEFINITIONS
    valid = jsonschema.Draft202012Validator(parameters).is_valid
    readings = [text]
    try:
        readings.append(json.loads(text))
    except ValueError:
        value, ok = value_of(text)
        readings += [value] if ok else []
    readings.sort(key=lambda v: ORDER.index(type(v)))
    good = [v for v in readings if valid({"x": v})]
    return (good or [v for v in readings if type(v) in declared(schema)] or [text])[0]


def row(kind, tools, expect, answer, right, why):
    example = {"expect": expect}
    if tools:
        example["tools"] = [{"type": "function", "function": t} for t in tools]
    print(json.dumps({"kind": kind, "example": example, "answer": answer, "right": right, "why": why}, ensure_ascii=False))


def calls(name, arguments, **members):
    return [{"type": "tool_calls", "calls": [{"name": name, "arguments": arguments}]} | members]


def tool(name, properties, **members):
    return {"name": name, "parameters": {"type": "object", "properties": properties} | members}


def exact(value):
    """An expectation that tells 1 from "1" and keeps $ members literal."""
    return {"$exact": value}


def main():
    offered = [WEATHER, TIME, SEARCH]
    for answer in ATTEMPTS:
        row("attempt", offered, NO_CALL, answer, "malformed call", "a tool on offer is named with arguments, or a format's marks stand there")
    for answer in CALLS:
        row("call", offered, NO_CALL, answer, "unexpected call", "a syntax that is read")
    for answer in TWINS:
        row("twin", offered, NO_CALL, answer, "pass", "prose, data or documentation")
    for literal in LITERALS:
        value, ok = value_of(literal)
        answer = f"[f(x={literal}, y=2)]"
        row("literal", [tool("f", {"x": {}, "y": {}})], calls("f", {"x": exact(value), "y": 2}), answer, "pass" if ok else "malformed call",
            "ast.literal_eval" if ok else "ast.literal_eval refuses it, or JSON has no such value")
    for schema, texts in TYPED:
        for text in texts:
            value = reading(schema, text)
            answer = f"<tool_call>\n<function=f>\n<parameter=x>\n{text}\n</parameter>\n</function>\n</tool_call>"
            row("typed", [tool("f", {"x": schema}, **DEFINITIONS)], calls("f", {"x": exact(value)}), answer, "pass", f"jsonschema and vLLM's order: {value!r}")
    for kind, *rest in OTHERS:
        row(kind, *rest)


HERMES = '<tool_call>%s</tool_call>'
F = [tool("f", {"x": {"type": "string"}, "o": {"type": "object"}})]


def json_value(value, **members):
    return [{"type": "json_value", "value": value} | members]


OTHERS = [
    # Names.
    ("name", [tool("functions.g", {"s": {}})], calls("functions.g", {"s": "a"}), HERMES % '{"name": "functions.g", "arguments": {"s": "a"}}', "pass", "a tool of this very name"),
    ("name", [tool("functions.g", {"s": {}})], calls("functions.g", {"s": "a"}), HERMES % '{"name": "g", "arguments": {"s": "a"}}', "pass", "functions. is OpenAI's namespace"),
    ("name", [tool("functions.g", {"s": {}})], calls("functions.g", {"s": "a"}), "[functions.g(s='a')]", "pass", "the same in Python"),
    ("name", None, calls("functions.g", {"s": "a"}), "[functions.g(s='a')]", "pass", "the same without tools"),
    ("name", [tool("g", {"s": {}})], calls("g", {"s": "a"}), "[functions.g(s='a')]", "pass", "a namespace"),
    ("name", [tool("g", {"s": {}})], calls("g", {"s": "a"}), '<|channel|>commentary to=functions.g <|constrain|>json<|message|>{"s": "a"}', "pass", "Harmony"),
    ("name", [tool("functions.g", {"s": {}})], calls("functions.g", {"s": "a"}), '<|channel|>commentary to=functions.functions.g <|constrain|>json<|message|>{"s": "a"}', "pass", "Harmony puts functions. before every name"),
    ("name", [tool("functions.g", {"s": {}})], calls("functions.g", {"s": "a"}), '<|tool_call_begin|>functions.functions.g:0<|tool_call_argument_begin|>{"s": "a"}<|tool_call_end|>', "pass", "so does Kimi"),
    ("name", [tool("functions.g", {"s": {"type": "string"}})], calls("functions.g", {"s": "1"}), "<function=g>\n<parameter=s>\n1\n</parameter>\n</function>", "pass", "the declared type of the tool that is meant"),
    ("name", [tool("other.g", {"s": {}})], calls("other.g", {"s": "a"}), "[g(s='a')]", "wrong tool", "other. is no namespace of ours"),
    ("name", [tool("get-weather", {"user-id": {}})], calls("get-weather", {"user-id": 3}), "[get-weather(user-id=3)]", "pass", "dashes are legal in OpenAI's form"),
    ("name", [tool("a.b-c.d", {"s": {}})], calls("a.b-c.d", {"s": 1}), "[a.b-c.d(s=1)]", "pass", "dots and dashes"),
    ("name", [tool("get-weather", {"s": {}})], calls("get-weather", {"s": "a"}), "get-weather(s='a')", "pass", "alone"),
    ("name", [tool("get-weather", {"s": {}})], calls("get-weather", {"s": "a"}), HERMES % '{"name": "get-weather", "arguments": {"s": "a"}}', "pass", "JSON"),
    ("name", [tool("get-weather", {"s": {}})], calls("get-weather", {"s": "a"}), "<function=get-weather>\n<parameter=s>\na\n</parameter>\n</function>", "pass", "tags"),
    ("name", [tool("f", {"a": {}, "b": {}})], calls("f", {"a": 1, "b": 2}), "[f(**{'a': 1, 'b': 2})]", "pass", "keywords unpacked"),
    ("name", [tool("f", {"a": {}, "b": {}})], calls("f", {"a": 1, "b": 2}), "[f(a=1, **{'a': 2})]", "malformed call", "given twice"),
    ("name", [tool("f", {"a": {}})], calls("f", {"a": 1}), "[f(*[1])]", "malformed call", "positional"),
    ("name", [tool("f", {"a": {}})], calls("f", {"a": 1}), "[f(1)]", "malformed call", "positional"),
    # Marks inside values.
] + [("mark", F, calls("f", {"x": mark}), form % json.dumps(mark), "pass", "a mark inside a string is text")
     for mark in ("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "<|tool_call_end|>", "```", "<function=f>", "</function>", "<|call|>", ">>>g\n{}", "to=functions.g", "Action: [1]", "[f(x='y')]")
     for form in (HERMES % '{"name": "f", "arguments": {"x": %s}}', '{"name": "f", "arguments": {"x": %s}}', "[f(x=%s)]", '[TOOL_CALLS][{"name": "f", "arguments": {"x": %s}}]',
                  "<|tool_call_start|>[f(x=%s)]<|tool_call_end|>", '<function=f>{"x": %s}</function>', '<|python_tag|>{"name": "f", "parameters": {"x": %s}}', '>>>f\n{"x": %s}')
     if not (form.startswith(">>>") and mark.startswith(">>>g"))] + [
    ("mark", F, calls("f", {"x": mark}), f"<tool_call>\n<function=f>\n<parameter=x>\n{mark}\n</parameter>\n</function>\n</tool_call>", "pass", "a mark inside a value is text")
    for mark in ("</tool_call>", "<tool_call>", "[TOOL_CALLS]", "</function>", "<function=g>")] + [
    ("mark", F, calls("f", {"x": "</tool_call>"}), "<tool_call>f\n<arg_key>x</arg_key>\n<arg_value></tool_call></arg_value>\n</tool_call>", "pass", "a mark inside a value is text"),
    ("mark", F, calls("f", {"x": "a<tool_call|>b"}), '<|tool_call>call:f{x:<|"|>a<tool_call|>b<|"|>}<tool_call|>', "pass", "a mark inside a value is text"),
    # Fences.
] + [("fence", None, json_value({"a": "```py\nx```"}), text, right, why) for text, right, why in (
    ('```json\n{"a": "```py\\nx```"}\n```', "pass", "ticks inside a string are no fence"),
    ('````json\n{"a": "```py\\nx```"}\n````', "pass", "four ticks"),
    ('~~~json\n{"a": "```py\\nx```"}\n~~~', "pass", "tildes"),
    ('```JSON\n{"a": "```py\\nx```"}\n```', "pass", "marked JSON"),
    ('``` json\n{"a": "```py\\nx```"}\n```', "pass", "a space before the mark"),
    ('```json\r\n{"a": "```py\\nx```"}\r\n```\r\n', "pass", "CR LF"),
    ('```json {"a": "```py\\nx```"}\n```', "pass", "content beside the mark"),
    ('```json\n{"a": "```py\\nx```"}```', "pass", "the fence closes beside the content"),
    ('```json {"a": "```py\\nx```"}```', "pass", "one line"),
    ('```json{"a": "```py\\nx```"}```', "pass", "one line, no space"),
    ('Here it is: ```json {"a": "```py\\nx```"}``` as asked.', "pass", "one line inside text"),
    ('Here it is:\n\n```json\n{"a": "```py\\nx```"}\n```\nHope this helps!', "pass", "text around one fence"),
    ('```json\n{"a": "```py\\nx```"}\n``` Done.', "pass", "text behind the closing fence"),
    ('  ```json\n  {"a": "```py\\nx```"}\n  ```', "pass", "indented"),
    ('```\n{"a": "```py\\nx```"}\n```', "malformed JSON", "not marked json"),
    ('```json5\n{"a": "```py\\nx```"}\n```', "malformed JSON", "not marked json"),
    ('```python\n{"a": "```py\\nx```"}\n```', "malformed JSON", "not marked json"),
    ('```json\n{"a": "```py\\nx```"}\n', "malformed JSON", "not closed"),
    ('```json\n{"a": "```py\\nx```"}\n```\n```json\n{"a": 1}\n```', "malformed JSON", "two fences"),
    ('```json\n{"a": "```py\\nx```"}\n```\nor\n~~~\nb\n~~~', "malformed JSON", "two fences"),
)] + [
    # Comparators.
    ("matcher", None, json_value({"a": {"$any_of": [{"$optional": 1}, 2]}}), "{}", "pass", "$optional accepts an absent member"),
    ("matcher", None, json_value({"a": {"$any_of": [2, {"$ignore": True}]}}), "{}", "pass", "$ignore accepts an absent member"),
    ("matcher", None, json_value({"a": {"$any_of": [{"$any_of": [{"$optional": 1}]}, 2]}}), "{}", "pass", "nested"),
    ("matcher", None, json_value({"a": {"$any_of": [{"$optional": 1}, 2]}}), '{"a": 3}', "wrong value", "none accepts 3"),
    ("matcher", None, json_value({"a": {"$any_of": [{"$optional": 1}, 2]}}), '{"a": 2}', "pass", "the second"),
    ("matcher", None, json_value({"a": {"$any_of": [1, 2]}}), "{}", "missing", "neither accepts an absent member"),
    ("matcher", None, json_value({"a": {"$optional": {"$any_of": [1, 2]}}}), "{}", "pass", "optional outside"),
    ("matcher", F, calls("f", {"x": {"$any_of": [{"$optional": "1"}, "2"]}}), "[f()]", "pass", "in arguments"),
    ("matcher", F, calls("f", {"o": {"a": 1}}, allow_extra_arguments=True), '[f(o={"a": 1}, x="y")]', "pass", "an argument more"),
    ("matcher", F, calls("f", {"o": {"a": 1}}, allow_extra_arguments=True), '[f(o={"a": 1, "b": 2})]', "extra", "members of an argument are no arguments"),
    ("matcher", F, calls("f", {"o": [{"a": 1}]}, allow_extra_arguments=True), '[f(o=[{"a": 1, "b": 2}])]', "extra", "in a list"),
    ("matcher", F, calls("f", {"o": {"$any_of": [{"a": 1}, {"c": 1}]}}, allow_extra_arguments=True), '[f(o={"a": 1, "b": 2})]', "wrong value", "in an alternative"),
    ("matcher", F, calls("f", {"$any_of": [{"x": "a"}, {"x": "b"}]}, allow_extra_arguments=True), '[f(o={}, x="b")]', "pass", "alternatives of all arguments"),
    ("matcher", F, calls("f", {"o": {"$fields": {"a": 1}, "allow_extra": True}}), '[f(o={"a": 1, "b": 2})]', "pass", "an object with its own allow_extra"),
    ("matcher", F, [{"type": "tool_calls", "calls": [{"name": "f", "arguments": {"o": {"a": 1}}, "allow_extra_arguments": True}]}], '[f(o={"a": 1, "b": 2}, x="y")]', "extra", "for one call"),
    ("matcher", None, json_value({"a": {"b": 1}}, allow_extra=True), '{"a": {"b": 1, "c": 2}}', "pass", "allow_extra of json_value holds for all objects"),
]

if __name__ == "__main__":
    main()
