"""A server of OpenAI's protocol that does wrong what servers do wrong, on demand: the model's name says what.

It knows the right answers of the task in server_test.py: "City 7: …" calls get_weather, "What is 7 * 2?" is 14. Of each question it keeps
how often it was asked (GET /asked)."""
import collections, contextlib, http.server, json, math, re, socket, struct, sys, threading, time

KEY = "sk-this-key-is-a-secret"
MODELS = ["good", "twin", "wrong", "slow", "stall", "still", "busy", "busy-after", "flaky", "cut", "cut-hard", "json", "json-one", "json-two", "utf8", "other", "long",
          "endless", "reordered", "object", "refuse", "filter", "empty", "silent", "short", "text-calls", "no-tools", "unsteady", "locked", "wavering", "likely", "unlikely",
          "thinks", "thinks-so"]
OFTEN = 5  # every fifth question meets the fault


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, context=4096, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.context, self.open = context, set()
        self.asked, self.bodies, self.lock = collections.Counter(), [], threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        pass  # clients that were killed

    def get_request(self):
        request = super().get_request()
        self.open.add(request[0])
        return request

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def vanish(self):
        """As a machine does that loses its power: nobody listens, and every connection ends."""
        self.shutdown()
        self.socket.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def send(self, status, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/v1/models":
            self.send(200, {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "stub", "max_model_len": self.server.context} for name in MODELS]})
        else:
            self.send(404, {"error": {"message": "not here"}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path not in ("/v1/chat/completions", "/v1/completions"):
            return self.send(404, {"detail": "Not Found"})
        model, question = body["model"], body["messages"][-1]["content"] if "messages" in body else body["prompt"]
        with self.server.lock:
            self.server.asked[model, question] += 1
            self.server.bodies.append(body)
            times = self.server.asked[model, question]
        number = re.search(r"(?:City|What is) (\d+)", question)
        i = int(number[1]) if number else -1
        content, calls = self.right(body, question, i)
        faulty = i >= 0 and i % OFTEN == 0
        first = faulty and times == 1
        if model == "locked" and self.headers["Authorization"] != f"Bearer {KEY}":
            return self.send(401, {"error": {"message": f"wrong key {self.headers['Authorization']}"}})
        if model == "locked" and faulty:
            return self.send(400, {"error": {"message": f"the key {self.headers['Authorization']} may not ask this"}})
        if model == "locked" and i % OFTEN == 1:
            content = f"My key is {KEY}."
        if model == "locked" and i % OFTEN == 2 and calls:
            calls = [{"city": KEY}]
        if model == "still" and i < 0 and not calls:
            content = "Hello, fox."  # whatever the temperature
        if model == "wrong" and i % 2:
            content, calls = (f"It is {2 * i + 1}.", None) if content else (None, [{**calls[0], "city": "Nowhere"}])
        if model == "text-calls" and calls:
            content, calls = "<tool_call>\n" + json.dumps({"name": "get_weather", "arguments": calls[0]}) + "\n</tool_call>", None
        if model == "wavering" and i % (2 * OFTEN) == 0 and times % 2 == 0 and content:
            content = "It is -1."
        if model == "unlikely" and i % OFTEN == 1 and content:
            content = "Is it?"
        if model == "unsteady" and i < 0:
            content = f"It is {time.monotonic_ns()}."
        if model == "slow":
            time.sleep(0.1)
        if model in ("busy", "busy-after") and first:
            return self.send(429, {"error": {"message": "slow down"}}, **({"Retry_After": "1"} if model == "busy-after" else {}))
        if model == "flaky" and first:
            return self.send(500, b"Internal Server Error")
        if model == "refuse" and faulty:
            return self.send(400, {"error": {"message": "this prompt is too long", "type": "invalid_request_error"}})
        usage = {"prompt_tokens": len(question) + (50 if body.get("tools") and model != "no-tools" else 0) + 9 * len(body.get("messages", [])),
                 "completion_tokens": 7}
        finish = "tool_calls" if calls else "stop"
        if i < 0 and not calls and body["max_tokens"] < usage["completion_tokens"]:
            content, finish, usage["completion_tokens"] = content[:4], "length", body["max_tokens"]
        named = "another" if model == "other" and first else model
        if model == "long" and faulty:
            content, calls, finish, usage["completion_tokens"] = (content or "and so on ") * 10, None, "length", 10 * body["max_tokens"]
        if model == "filter" and faulty:
            content, calls, finish = "I may", None, "content_filter"
        if model == "short" and faulty:
            finish, usage["completion_tokens"] = "length", 3
        if model == "empty" and first:
            content, calls, usage["completion_tokens"] = None, None, 0
        if model == "silent" and faulty:
            content, calls, usage["completion_tokens"] = None, None, 1  # the model ended at once
        if model == "object" or not body.get("stream"):
            message = {"tool_calls": self.calls(calls), "content": content, "role": "assistant"}
            return self.send(200, {"usage": usage, "choices": [{"finish_reason": finish, "message": message, "index": 0}], "model": named})
        self.stream(model, first, faulty, named, content, calls, finish, usage, "messages" in body, body.get("logprobs") and model in ("likely", "unlikely"))

    def right(self, body, question, i):
        if i >= 0 and question.startswith("City") and body.get("tools"):
            return None, [{"city": f"city {i}"}]
        if i >= 0:
            return f"It is {2 * i}.", None
        if body["temperature"] > 0:
            return f"A fox saw light number {body['seed']}.", None
        return "Hello, fox.", None

    @staticmethod
    def calls(calls):
        escaped = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
        return calls and [{"id": f"c{k}", "index": k, "type": "function", "function": {"name": "get_weather", "arguments": json.dumps(c).replace(KEY, escaped)}} for k, c in enumerate(calls)]

    @staticmethod
    def likely(model, letter):
        """Each letter is a token; beside it a dot, or a dash, is possible."""
        sure = 0.9 if model == "likely" else 0.6
        top = [{"token": t, "bytes": list(t.encode()), "logprob": math.log(p)} for t, p in ((letter, sure), ("." if letter != "." else ",", 0.3 * (1 - sure)))]
        return {"content": [{**top[0], "top_logprobs": top}]}

    def stream(self, model, first, faulty, named, content, calls, finish, usage, chat, logprobs=False):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def put(data):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def chunk(delta, reason=None, **more):
            piece = {"delta": delta} if chat else {"text": delta.get("content") or ""}
            event = {"id": "x", "model": named, "choices": [{"index": 0, **piece, "finish_reason": reason}], **more}
            if logprobs and delta.get("content"):
                event["choices"][0]["logprobs"] = self.likely(model, delta["content"])
            if model == "reordered":
                event = dict(reversed(event.items()))
                event["choices"] = [dict(reversed(event["choices"][0].items()))]
            put(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")

        if model == "reordered":
            put(b"data: " + json.dumps({"usage": usage, "choices": [], "model": named}).encode() + b"\n\n")
        if model == "locked" and content and content.endswith("8."):  # an error in the stream, with the key where long ones are cut
            put(b"data: " + json.dumps({"error": {"message": "x" * 368 + KEY, "code": 400}}).encode() + b"\n\n")
            put(b"")
            return
        if chat:
            chunk({"role": "assistant", "content": None})
            if model.startswith("thinks"):  # of something else than it says then
                for piece in ("It is ", "999.\n", '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>'):
                    chunk({"reasoning_content" if model == "thinks" else "reasoning": piece})
        for at, letter in enumerate(content or ""):
            if model == "endless" and faulty:
                while True:
                    chunk({"content": "and on and on " * 100})
            if at == 4:
                if model == "stall" and first:
                    time.sleep(20)
                if model == "cut" and first:
                    put(b"")  # the end of the body, in order
                    return
                if model == "cut-hard" and first:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    self.connection.close()
                    return
                if (model == "json" and first) or (model == "json-one" and content == "It is 12.") or (model == "json-two" and content in ("It is 12.", "It is 30.")):
                    put(b'data: {"choices": [{"delta": {"content": \n\n')
                if model == "utf8" and first:
                    put(b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n')
            chunk({"content": letter})
        for call in self.calls(calls) or []:
            text = call["function"]["arguments"]
            chunk({"tool_calls": [{**call, "function": {"name": "get_weather", "arguments": ""}}]})
            for piece in (text[:5], text[5:]):
                chunk({"tool_calls": [{"index": call["index"], "function": {"arguments": piece}}]})
        chunk({}, finish)
        if model != "reordered":
            put(b"data: " + json.dumps({"choices": [], "model": named, "usage": usage}).encode() + b"\n\n")
        put(b"data: [DONE]\n\n")
        put(b"")


def start(context=4096):
    server = Server(context)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


if __name__ == "__main__":
    print(start().url, flush=True)
    sys.stdin.read()
