"""A server that tells what llama-server tells in calls of its own (/props, /apply-template, /tokenize), so that what it tells can be wrong on demand.

Its tokens are the bytes of a text. "What is 7 * 2?" is 14; everything else is a story."""
import http.server, json, re, threading


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, **how):
        """context: prompts are cut to so many tokens, silently. adds: tokens that it puts before a prompt and does not tell. tells: whether it
        has calls of its own at all. counts: whether answers count tokens. holds: whether response_format is held to. mark: what its template
        puts before a message. settings: members of its generation settings."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.how = {"context": 100000, "adds": 0, "tells": True, "counts": True, "holds": True, "mark": "|", "settings": {}, **how}
        self.bodies = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def send(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def render(self, body):
        parts = [self.server.how["mark"] + message["role"] + ":" + message["content"] for message in body["messages"]]
        return "".join(([json.dumps(body["tools"])] if body.get("tools") else []) + parts)

    def do_GET(self):
        tells = self.server.how["tells"]
        if self.path == "/v1/models":
            self.send(200, {"data": [{"id": "m", "owned_by": "llamacpp"}]})
        elif self.path == "/props?model=m" and tells:
            self.send(200, {"default_generation_settings": {"n_ctx": 4096, "params": self.server.how["settings"]}, "chat_template": self.server.how["mark"]})
        else:
            self.send(404, {})

    def do_POST(self):
        body, how = json.loads(self.rfile.read(int(self.headers["Content-Length"]))), self.server.how
        if how["tells"] and self.path == "/apply-template":
            return self.send(200, {"prompt": self.render(body)})
        if how["tells"] and self.path == "/tokenize":
            return self.send(200, {"tokens": list(body["content"].encode())})
        if self.path not in ("/v1/chat/completions", "/v1/completions"):
            return self.send(404, {})
        self.server.bodies.append(body)
        prompt = self.render(body) if "messages" in body else body["prompt"]
        kept = prompt[-how["context"]:]
        numbers = re.findall(r"What is (\d+) \* 2\?", kept)
        text = f"It is {2 * int(numbers[-1])}." if numbers else "A fox saw light number %s." % (body["seed"] if body["temperature"] else "one")
        if "password of the lighthouse?" in kept:
            text = "marmalade" if "marmalade" in kept else "I do not know."
        if how["holds"] and "response_format" in body:
            text = '{"lamp": "red"}'
        usage = {"prompt_tokens": len(kept.encode()) + how["adds"], "completion_tokens": min(len(text), body["max_tokens"])}
        message = {"text": text} if "prompt" in body else {"message": {"role": "assistant", "content": text}}
        self.send(200, {"model": "m", "choices": [{"index": 0, "finish_reason": "stop", **message}], **({"usage": usage} if how["counts"] else {})})
