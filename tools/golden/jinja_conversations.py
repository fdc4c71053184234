"""Conversations that every chat template renders (see jinja.py)."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city"},
                "unit": {"type": "string", "enum": ["c", "f"], "description": "Unit"},
                "days": {"type": "integer", "description": "How many days", "default": 1},
            },
            "required": ["city"],
        },
        "return": {"type": "string"},
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": 'Looks "things" up & <more>.',
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What"},
                "filters": {"type": "array", "items": {"type": "string"}, "description": "Filters"},
                "options": {"type": "object", "additionalProperties": {"type": "boolean"}, "description": "Options"},
                "limit": {"type": ["integer", "null"], "description": "At most"},
            },
            "required": ["query", "limit"],
        },
    },
}


def user(content):
    return {"role": "user", "content": content}


def system(content):
    return {"role": "system", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content} | more


def call(name, arguments, id="call12345"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def conversation(name, messages, generate=True, **more):
    return {"name": name, "input": {"messages": messages, "add_generation_prompt": generate} | more}


ASK = [user("Weather in Oslo?")]
CALLED = ASK + [assistant(None, tool_calls=[call("get_weather", {"city": "Oslo", "days": 2})])]
RESULT = {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": '{"t": -3.5}'}
ANSWERED = CALLED + [RESULT, assistant("It is -3.5 degrees.")]
UNICODE = "Grüße, 世界! 🙂 \u202f«naïve» \t tab\r\nCR \u00a0"

CONVERSATIONS = [
    conversation("user", [user("Hi")]),
    conversation("user, no generation prompt", [user("Hi")], False),
    conversation("system and user", [system("Be brief."), user("Hi")]),
    conversation("turns", [user("Hi"), assistant("Hello."), user("2+2?"), assistant("4"), user("Thanks")]),
    conversation("turns with system, ended", [system("S"), user("a"), assistant("b"), user("c"), assistant("d")], False),
    conversation("turns, ended, generate", [user("a"), assistant("b")]),
    conversation("spaces", [system("  s \n"), user("  padded \n\n"), assistant("\n answer  "), user("\n")]),
    conversation("empty content", [user(""), assistant(""), user("x")]),
    conversation("empty system", [system(""), user("x")]),
    conversation("unicode", [system(UNICODE), user(UNICODE), assistant("<|im_end|> </s> é"), user("日本語 & <b>")]),
    conversation("tools", ASK, tools=[WEATHER]),
    conversation("tools and system", [system("S")] + ASK, tools=[WEATHER, SEARCH]),
    conversation("empty tools", ASK, tools=[]),
    conversation("tool call", CALLED, False, tools=[WEATHER]),
    conversation("tool call without tools", CALLED, False),
    conversation("tool result", CALLED + [RESULT], tools=[WEATHER]),
    conversation("tool answer", ANSWERED, False, tools=[WEATHER, SEARCH]),
    conversation("tool answer and on", ANSWERED + [user("And Rome?")], tools=[WEATHER]),
    conversation(
        "two calls",
        ASK
        + [
            assistant("", tool_calls=[call("get_weather", {"city": "Ål", "n": None}, "aaaaaaaaa"), call("search", {}, "bbbbbbbbb")]),
            RESULT | {"tool_call_id": "aaaaaaaaa"},
            RESULT | {"tool_call_id": "bbbbbbbbb", "content": "none"},
        ],
        tools=[WEATHER, SEARCH],
    ),
    conversation("arguments as text", ASK + [assistant("Let me see", tool_calls=[call("search", '{"query": "x"}')]), RESULT]),
    conversation("call with short id", ASK + [assistant(None, tool_calls=[call("search", {"q": [1, 2.5, True]}, "1")]), RESULT], tools=[SEARCH]),
    conversation("code interpreter", [system("S"), user("q")], tools=[{"type": "code_interpreter"}, WEATHER]),
    conversation("parts", [user([{"type": "text", "text": "Hi"}, {"type": "text", "text": " there"}])]),
    conversation("parts with image", [system("S"), user([{"type": "text", "text": "What?"}, {"type": "image", "image": "x.png"}])]),
    conversation("system parts", [system([{"type": "text", "text": "S"}]), user("x")], False),
    conversation("thinking on", [user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c")], enable_thinking=True),
    conversation("thinking off", [user("a"), assistant("<think>\nhm\n</think>\n\nb"), user("c")], enable_thinking=False),
    conversation("reasoning", [user("a"), assistant("b", reasoning_content="because"), user("c"), assistant("d", reasoning_content="so")], False),
    conversation("thinking and budget", [system("S"), user("a")], enable_thinking=True, thinking=True, thinking_budget=512),
    conversation("documents", [user("q")], documents=[{"title": "T", "text": "Body", "doc_id": 1}], available_tools=None, controls={"length": "short"}),
    conversation("options", ASK, tools=[WEATHER], tools_in_user_message=False, date_string="01 Jan 2025", functions="[]", datetime="now"),
    conversation("builtin tools", [user("q")], builtin_tools=["brave_search", "wolfram_alpha"], custom_tools=[WEATHER]),
    conversation("does not alternate", [user("a"), user("b")]),
    conversation("assistant first", [assistant("a"), user("b")]),
    conversation("unknown role", [user("a"), {"role": "critic", "content": "b"}]),
    conversation("no content", [{"role": "user"}]),
    conversation("null content", [user(None)]),
    conversation("number content", [user(5)]),
    conversation("system last", [user("a"), system("late")]),
    conversation("nothing", []),
]
