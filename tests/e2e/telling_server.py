"""A server that tells what llama-server tells in calls of its own (/props, /apply-template, /tokenize), vLLM (/tokenize, log-probabilities of
prompts, token ids) or SGLang (/generate), so that what it tells can be wrong on demand.

Its tokens are the bytes of a text, and one that ends it. "What is 7 * 2?" is 14; everything else is a story."""
import http.server, json, math, re, threading, time

END = 256  # the token that ends an answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, **how):
        """context: prompts are cut to so many tokens, silently. adds: tokens that it puts before a prompt and does not tell. tells: whether it
        has calls of its own at all. counts: whether answers count tokens. holds: whether response_format is held to. mark: what its template
        puts before a message. settings: members of its generation settings. vllm, sglang: it is one. predicts: the probabilities of all tokens
        behind a token. most: most of them that it tells. ids: whether it tells the tokens of its answers. says: what it answers, whatever is
        right. of_prompt: changes the lists that it tells."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.how = {"context": 100000, "adds": 0, "tells": True, "counts": True, "holds": True, "mark": "|", "settings": {}, "vllm": False, "sglang": False, "predicts": None, "most": 20, "ids": True,
                    "says": None, "of_prompt": lambda lists: lists, **how}
        self.bodies, self.tokenized, self.tokenizing, self.most_tokenizing, self.lock = [], 0, 0, 0, threading.Lock()
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
            self.send(200, {"data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096} if self.server.how["vllm"] else {"id": "m", "owned_by": "sglang" if self.server.how["sglang"] else "llamacpp"}]})
        elif self.path == "/version" and self.server.how["vllm"]:
            self.send(200, {"version": "0.0.1"})
        elif self.path == "/get_model_info" and self.server.how["sglang"]:
            self.send(200, {"model_path": "org/m"})
        elif self.path == "/get_server_info" and self.server.how["sglang"]:
            self.send(200, {"version": "0.0.2", "context_length": 4096})
        elif self.path == "/props?model=m" and tells and not self.server.how["vllm"] and not self.server.how["sglang"]:
            self.send(200, {"default_generation_settings": {"n_ctx": 4096, "params": self.server.how["settings"]}, "chat_template": self.server.how["mark"]})
        else:
            self.send(404, {})

    def do_POST(self):
        body, how = json.loads(self.rfile.read(int(self.headers["Content-Length"]))), self.server.how
        if how["sglang"]:
            if self.path == "/generate":
                return self.generate(body)
            if self.path == "/v1/tokenize":
                return self.tokenize(body)
        if how["tells"] and self.path == "/apply-template" and not how["vllm"] and not how["sglang"]:
            return self.send(200, {"prompt": self.render(body)})
        if self.path == "/completion" and how["predicts"] and isinstance(body["prompt"], list):
            return self.complete(body)
        if how["tells"] and self.path == "/tokenize" and not how["sglang"]:
            return self.tokenize(body)
        if self.path not in ("/v1/chat/completions", "/v1/completions"):
            return self.send(404, {})
        self.server.bodies.append(body)
        if isinstance(body.get("prompt"), list):
            return self.follow(body)
        prompt = self.render(body) if "messages" in body else body["prompt"]
        kept = prompt[-how["context"]:]
        numbers = re.findall(r"What is (\d+) \* 2\?", kept)
        text = f"It is {2 * int(numbers[-1])}." if numbers else "A fox saw light number %s." % (body["seed"] if body["temperature"] else "one")
        if "password of the lighthouse?" in kept:
            text = "marmalade" if "marmalade" in kept else "I do not know."
        if how["holds"] and "response_format" in body:
            text = '{"lamp": "red"}'
        if how["says"] and numbers:
            text = how["says"]
        usage = {"prompt_tokens": len(kept.encode()) + how["adds"], "completion_tokens": min(len(text) + how["vllm"], body["max_tokens"])}
        message = {"text": text} if "prompt" in body else {"message": {"role": "assistant", "content": text}}
        if how["vllm"] and how["ids"] and body.get("return_token_ids"):
            message["token_ids"] = [*text.encode(), END][:body["max_tokens"]]
        self.send(200, {"model": "m", "choices": [{"index": 0, "finish_reason": "stop", **message}], **({"usage": usage} if how["counts"] else {})})

    def tokenize(self, body):
        server = self.server
        with server.lock:
            server.tokenized += 1
            server.tokenizing += 1
            server.most_tokenizing = max(server.most_tokenizing, server.tokenizing)
        time.sleep(0.02)  # so that those that are asked at once meet
        with server.lock:
            server.tokenizing -= 1
        text = body["content"] if "content" in body else body["prompt"] if "prompt" in body else self.render(body)
        self.send(200, {"tokens": list(text.encode())})

    def likely(self, previous, k):
        p = self.server.how["predicts"](previous)
        return [(math.log(p[t]), t) for t in sorted(range(len(p)), key=lambda t: (-p[t], t))[:k]]

    def complete(self, body):
        """llama-server's: one token, and what else was likely."""
        self.server.bodies.append(body)
        ids, top = body["prompt"], self.likely(body["prompt"][-1], body["n_probs"])
        said = [{"id": top[0][1], "token": "", "bytes": [], "logprob": top[0][0], "top_logprobs": [{"id": t, "token": "", "bytes": [], "logprob": l} for l, t in top]}]
        self.send(200, {"content": "", "tokens_evaluated": len(ids), "truncated": False, "completion_probabilities": self.server.how["of_prompt"](said)})

    def generate(self, body):
        """SGLang's: log-probabilities of a prompt from a token on, whose own is not told, and of one token behind it."""
        self.server.bodies.append(body)
        ids, start, k = body["input_ids"], body["logprob_start_len"], body["top_logprobs_num"]
        p = self.server.how["predicts"]
        tokens = [[None, ids[start], None]] + [[math.log(p(before)[t]), t, None] for before, t in zip(ids[start:], ids[start + 1:])]
        lists = [None] + [[[l, t, None] for l, t in self.likely(before, k)] for before in ids[start:-1]]
        behind = [[l, t, None] for l, t in self.likely(ids[-1], k)]
        self.send(200, {"text": "", "output_ids": [behind[0][1]], "meta_info": {
            "prompt_tokens": len(ids), "completion_tokens": 1, "finish_reason": {"type": "length", "length": 1}, "input_token_logprobs": tokens,
            "input_top_logprobs": self.server.how["of_prompt"](lists), "output_token_logprobs": [behind[0]], "output_top_logprobs": [behind]}})

    def follow(self, body):
        """vLLM's: log-probabilities of the tokens of a prompt, and of one behind it."""
        how, ids = self.server.how, body["prompt"]
        k = body.get("prompt_logprobs", 0)
        if max(k, body.get("logprobs", 0)) > how["most"]:
            return self.send(400, {"error": {"message": f"Requested sample logprobs of {k}, which is greater than max allowed: {how['most']}"}})

        def likely(previous, there):
            p = how["predicts"](previous)
            best = sorted(range(len(p)), key=lambda t: (-p[t], t))
            return {t: math.log(p[t]) for t in dict.fromkeys([there, *best[:k]])}

        lists = [None] + [{str(t): {"logprob": l, "rank": 1, "decoded_token": "\ufffd"} for t, l in likely(before, there).items()} for before, there in zip(ids, ids[1:])]
        last = {f"token_id:{t}": l for t, l in likely(ids[-1], END).items()}
        choice = {"index": 0, "text": "", "finish_reason": "length", "logprobs": {"tokens": ["token_id:256"], "top_logprobs": [last]}, "prompt_logprobs": how["of_prompt"](lists)}
        self.send(200, {"model": "m", "choices": [choice], "usage": {"prompt_tokens": len(ids), "completion_tokens": 1}})
