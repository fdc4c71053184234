#!/usr/bin/env python3
"""A task out of traffic, from outside: the recording proxy changes nothing and loses nothing, and what it records becomes a task that runs.

usage: capture_test.py ASSAY CHECKOUT"""
import concurrent.futures, gzip, http.client, http.server, json, os, pathlib, signal, socket, subprocess, sys, tempfile, threading, time, unittest, urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faulty_server

ASSAY, ROOT = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
KEY = faulty_server.KEY
CHAT = "/v1/chat/completions"


class Echo(http.server.BaseHTTPRequestHandler):
    """Keeps what it was sent, and answers as the path says."""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self):
        body = self.body()
        server = self.server
        with server.lock:
            server.seen.append((self.command, self.path, self.headers.items(), body))
        put = lambda data: (self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data)), self.wfile.flush())
        if self.path.startswith("/lockstep") or self.path == "/lockstep" + CHAT:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(5):
                put(b"data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"%d\"}}]}\n\n" % i)
                if not server.taken.acquire(timeout=10):  # until the client has it
                    return
            put(b"data: {\"choices\": [{\"index\": 0, \"delta\": {}, \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n")
            return put(b"")
        if self.path.startswith("/flood"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            piece = b"data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": \"" + b"x" * 65000 + b"\"}}]}\n\n"
            try:
                for _ in range(int(self.path.split("=")[1].split("/")[0])):
                    put(piece)
                put(b"")
            except OSError:
                server.broken.set()
            return
        if self.path.startswith("/close"):  # neither a length nor chunks
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"until it ends")
            self.close_connection = True
            return
        status = int(self.path[8:11]) if self.path.startswith("/status/") else 200
        data = b"" if status in (204, 304) else b"\x00\xff body of " + self.path.encode()
        self.send_response(status)
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.send_header("X-Percent", "100%25 %zz")
        self.send_header("Location", "http://elsewhere/")
        self.send_header("Content-Type", "application/octet-stream")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = answer


def echo():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads, server.request_queue_size = True, 256
    server.seen, server.lock, server.taken, server.broken = [], threading.Lock(), threading.Semaphore(0), threading.Event()
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    return server


class Capture(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.environment = {**os.environ, "ASSAY_CACHE": str(self.path / "cache")}

    def serve(self, server):
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def proxy(self, url, *more):
        process = subprocess.Popen([ASSAY, "task", "capture", "--proxy", url, "--listen", "127.0.0.1:0", "-o", "traffic.jsonl", *more], cwd=self.path,
                                   env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (process.kill(), process.wait(), process.stdout.close(), process.stderr.close()))
        line = process.stderr.readline()
        self.assertIn("passes on to", line)
        process.port = int(line.split(" ")[0].rsplit(":", 1)[1])
        process.said = []
        threading.Thread(target=lambda: process.said.extend(process.stderr), daemon=True).start()
        return process

    def end(self, process, code=0):
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), code)
        return process.stdout.read()

    def lines(self):
        return [json.loads(line) for line in (self.path / "traffic.jsonl").read_text().splitlines()]

    def request(self, port, method, path, body=None, headers={}, connection=None):
        connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(method, path, body, headers, encode_chunked=headers.get("Transfer-Encoding") == "chunked")
        response = connection.getresponse()
        return response, response.read()

    def chat(self, port, model, question, stream=True, **more):
        body = {"model": model, "stream": stream, "temperature": 0, "max_tokens": 99, "messages": [{"role": "user", "content": question}], **more}
        return self.request(port, "POST", CHAT, json.dumps(body), {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})

    def assay(self, *arguments, code=0):
        result = subprocess.run([ASSAY, *arguments], capture_output=True, text=True, cwd=self.path, env=self.environment, timeout=300)
        self.assertEqual(result.returncode, code, result.stdout[-2000:] + result.stderr[-2000:])
        return result

    def test_what_passes_is_what_was_sent(self):
        server = self.serve(echo())
        proxy = self.proxy(server.url)
        kept = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
        headers = {"Authorization": "Bearer 100%25%0d%0aX: y", "X-Thing": "a%20b", "Range": "bytes=0-3", "Accept-Encoding": "gzip, br", "User-Agent": "mine/1"}
        direct = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
        bodies = {"POST": (b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\x00\xff\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}),
                  "PUT": (gzip.compress(b"packed"), {"Content-Encoding": "gzip", "Content-Type": "text/plain"}),
                  "PATCH": (iter([b"one", b"two"]), {"Transfer-Encoding": "chunked"}),
                  "DELETE": (b"with a body", {})}
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
            for path in ("/", "/v1/models", "/a%20b%2Fc/%ff?x=%41&y=1+2&x=", "/status/404", "/status/418", "/status/503", "/status/302", "/status/204", "/status/304"):
                if method in ("PATCH",):
                    bodies["PATCH"] = (iter([b"one", b"two"]), {"Transfer-Encoding": "chunked"})
                body, more = bodies.get(method, (None, {}))
                with self.subTest(method=method, path=path):
                    response, data = self.request(proxy.port, method, path, body, {**headers, **more}, kept)
                    seen = server.seen[-1]
                    self.assertEqual(seen[:2], (method, path))
                    self.assertEqual(seen[3], b"onetwo" if method == "PATCH" else body or b"")
                    got = {name.lower(): value for name, value in seen[2]}
                    for name, value in {**headers, **more}.items():
                        if name != "Transfer-Encoding":
                            self.assertEqual(got[name.lower()], value)
                    self.assertNotIn("expect", got)
                    if method not in bodies:
                        self.assertNotIn("content-type", got)
                        self.assertNotIn("accept", got)
                    if method == "PATCH":
                        body = iter([b"one", b"two"])
                    plain, plain_data = self.request(0, method, path, body, {**headers, **more}, direct)
                    self.assertEqual((response.status, data), (plain.status, plain_data))
                    for name in ("Set-Cookie", "X-Percent", "Location", "Content-Type", "Content-Length", "Date", "Server"):
                        if name == "Date" or (name == "Content-Length" and plain.status in (204, 304)):
                            continue
                        self.assertEqual(response.headers.get_all(name), plain.headers.get_all(name), name)
        _, data = self.request(proxy.port, "GET", "/close")
        self.assertEqual(data, b"until it ends")
        _, data = self.request(proxy.port, "POST", "/empty", None)  # neither body nor length
        self.assertEqual(server.seen[-1][:2], ("POST", "/empty"))
        self.assertIn("0 requests recorded", self.end(proxy))
        self.assertEqual((self.path / "traffic.jsonl").read_bytes(), b"")

    def test_raw_requests(self):
        server = self.serve(echo())
        proxy = self.proxy(server.url)

        def raw(data):
            with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
                client.sendall(data)
                return client.makefile("rb").readline().decode()

        self.assertIn(" 400 ", raw(b"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n"))
        self.assertIn(" 400 ", raw(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"))
        self.assertIn(" 400 ", raw(b"nonsense\r\n\r\n"))
        for length, status in ((b"999999999999", 413), (b"99999999999999999999999", 413), (b"-5", 400), (b"abc", 400)):  # at once: nothing of it is waited for
            self.assertIn(f" {status} ", raw(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\nhi"))
        self.assertIn(" 200 ", raw(b"POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi").replace(" 100 ", " 200 "))
        self.assertEqual(self.request(proxy.port, "GET", "/after")[0].status, 200)
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:  # what is no request of its server's ends the connection, and says so
            client.sendall(b"GET http://elsewhere/ HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"Connection: close", client.makefile("rb").read())
        self.end(proxy)

    def test_a_stream_comes_as_it_is_sent(self):
        server = self.serve(echo())
        proxy = self.proxy(server.url)
        for path in ("/lockstep", "/lockstep" + CHAT):
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
            connection.request("POST", path, json.dumps({"messages": [{"role": "user", "content": "x"}]}))
            response = connection.getresponse()
            for i in range(5):
                self.assertIn(b"\"%d\"" % i, response.readline())
                self.assertEqual(response.readline(), b"\n")
                server.taken.release()  # nothing more is sent before
            self.assertTrue(response.read().endswith(b"data: [DONE]\n\n"))
        self.end(proxy)
        self.assertEqual(self.lines()[0]["response"]["choices"][0]["message"]["content"], "01234")

    def test_what_is_recorded(self):
        server = self.serve(faulty_server.start())
        proxy = self.proxy(server.url + "/v1/")
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
        for stream in (True, False):
            self.chat(proxy.port, "good", "What is 7 * 2?", stream)
            self.chat(proxy.port, "good", "City 8: weather?", stream, tools=tools)
            self.request(proxy.port, "POST", "/v1/completions", json.dumps({"model": "good", "prompt": "What is 9 * 2?", "temperature": 0, "stream": stream, "max_tokens": 9}))
        self.request(proxy.port, "GET", "/v1/models")
        self.request(proxy.port, "POST", "/v1/completions?api_key=abcdefghijkl", json.dumps({"prompt": "say abcdefghijkl"}))  # this server knows no queries
        self.chat(proxy.port, "locked", "What is 11 * 2?")                   # says the key
        self.chat(proxy.port, "locked", "City 12: weather?", tools=tools)    # calls with it, in escapes
        refused, _ = self.chat(proxy.port, "locked", "What is 15 * 2?")      # an error that repeats it
        self.assertEqual(refused.status, 400)
        summary = self.end(proxy)
        self.assertIn("10 requests recorded, 2 of them without an answer", summary, [line.get("error") for line in self.lines()])
        text = (self.path / "traffic.jsonl").read_text()
        self.assertNotIn(KEY, text)
        self.assertNotIn("Authorization", text)
        self.assertNotIn("abcdefghijkl", text)
        lines = self.lines()
        for streamed, whole in zip(lines[:3], lines[3:6]):
            self.assertEqual(streamed["response"]["choices"], whole["response"]["choices"] if "tools" not in streamed["request"] else streamed["response"]["choices"])
            self.assertEqual(streamed["response"]["usage"], whole["response"]["usage"])
        self.assertEqual(lines[0]["response"]["choices"][0], {"index": 0, "message": {"role": "assistant", "content": "It is 14."}, "finish_reason": "stop"})
        for line in (lines[1], lines[4]):
            call = line["response"]["choices"][0]["message"]["tool_calls"][0]["function"]
            self.assertEqual((call["name"], json.loads(call["arguments"])), ("get_weather", {"city": "city 8"}))
        self.assertEqual((lines[2]["path"], lines[2]["response"]["choices"][0]["text"]), ("/v1/completions", "It is 18."))
        self.assertEqual((lines[6]["path"], lines[6]["request"], lines[6]["error"][:8]), ("/v1/completions", {"prompt": "say [SECRET]"}, "HTTP 404"))
        self.assertEqual(lines[7]["response"]["choices"][0]["message"]["content"], "My key is [SECRET].")
        self.assertEqual(json.loads(lines[8]["response"]["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]), {"city": "[SECRET]"})
        self.assertIn("HTTP 400", lines[9]["error"])

    def test_a_client_that_goes_takes_nobody_along(self):
        server = self.serve(echo())
        proxy = self.proxy(server.url)
        for path in ("/flood=20000", "/flood=20000" + CHAT):
            server.broken.clear()
            client = socket.create_connection(("127.0.0.1", proxy.port))
            body = b'{"messages": [{"role": "user", "content": "x"}]}'
            client.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body))
            client.recv(1000)
            client.close()
            self.assertTrue(server.broken.wait(10), "the server went on for a client that was gone")
        client = socket.create_connection(("127.0.0.1", proxy.port))  # goes while nothing has come
        body = b'{"messages": [{"role": "user", "content": "x"}]}'
        client.sendall(b"POST /lockstep%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (CHAT.encode(), len(body), body))
        client.recv(10)
        client.close()
        self.assertEqual(self.request(proxy.port, "GET", "/still-here")[0].status, 200)
        for _ in range(100):
            if len((self.path / "traffic.jsonl").read_text().splitlines()) == 2:
                break
            time.sleep(0.1)
        self.end(proxy)
        self.assertEqual([line["error"] for line in self.lines()], ["the client closed its connection"] * 2)

    def test_a_server_that_cuts_its_answer(self):
        server = self.serve(faulty_server.start())
        proxy = self.proxy(server.url)
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            self.chat(proxy.port, "cut-hard", "What is 5 * 2?")
        response, data = self.chat(proxy.port, "cut", "What is 5 * 2?")  # in order, and without its end
        self.assertEqual(response.status, 200)
        self.assertNotIn(b"[DONE]", data)
        response, _ = self.chat(proxy.port, "busy-after", "What is 5 * 2?")
        self.assertEqual((response.status, response.headers["Retry-After"]), (429, "1"))
        response, data = self.chat(proxy.port, "flaky", "What is 5 * 2?")
        self.assertEqual((response.status, data), (500, b"Internal Server Error"))
        _, data = self.chat(proxy.port, "utf8", "What is 5 * 2?")
        self.assertIn(b"\xff\xfe", data)
        self.chat(proxy.port, "good", "What is 5 * 2?")
        self.end(proxy)
        lines = self.lines()
        for line, error in zip(lines, ("cut: ", "cut stream: ", "HTTP 429: ", "HTTP 500: Internal", "invalid UTF-8: ")):
            self.assertTrue(line["error"].startswith(error), line["error"])
            self.assertNotIn("response", line)
        self.assertIn("response", lines[5])
        self.assertIn("cut an answer", "".join(proxy.said))

    def test_a_server_that_is_down(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        proxy = self.proxy(f"http://127.0.0.1:{port}")
        for _ in range(3):
            response, data = self.chat(proxy.port, "m", "anyone?")
            self.assertEqual(response.status, 502)
            self.assertIn("cannot reach", json.loads(data)["error"]["message"])
        self.assertEqual(self.request(proxy.port, "GET", "/v1/models")[0].status, 502)
        server = faulty_server.Server(port=port)  # it comes up
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.serve(server)
        self.assertEqual(self.chat(proxy.port, "good", "What is 7 * 2?")[0].status, 200)
        self.end(proxy)
        self.assertEqual(sum("cannot be reached" in line for line in proxy.said), 1)  # told once, not with every request
        lines = self.lines()
        self.assertEqual([line.get("error", "")[:13] for line in lines], ["unreachable: "] * 3 + [""])

    def test_many_clients_at_once(self):
        server = self.serve(faulty_server.start())
        proxy = self.proxy(server.url)
        barrier = threading.Barrier(64)

        def one(i):
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
            barrier.wait()
            for k in range(4):
                body = {"model": "slow" if k == 0 else "good", "stream": k % 2 == 0, "temperature": 0, "max_tokens": 99, "messages": [{"role": "user", "content": f"What is {1000 * k + i} * 2?"}]}
                _, data = self.request(0, "POST", CHAT, json.dumps(body), {}, connection)
                said = "".join((json.loads(event[6:])["choices"] or [{"delta": {}}])[0]["delta"].get("content") or "" for event in data.decode().split("\n\n") if event and "[DONE]" not in event) \
                    if k % 2 == 0 else json.loads(data)["choices"][0]["message"]["content"]
                if said != f"It is {2 * (1000 * k + i)}.":
                    return said
            return None

        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            self.assertEqual([wrong for wrong in pool.map(one, range(64)) if wrong is not None], [])
        self.assertIn("256 requests recorded, 0 of them without", self.end(proxy))
        pairs = {(line["request"]["messages"][0]["content"], line["response"]["choices"][0]["message"]["content"]) for line in self.lines()}
        self.assertEqual(pairs, {(f"What is {n} * 2?", f"It is {2 * n}.") for k in range(4) for n in range(1000 * k, 1000 * k + 64)})

    def test_memory_stays_flat(self):
        server = self.serve(echo())
        proxy = self.proxy(server.url)
        rss = lambda: int(next(line for line in open(f"/proc/{proxy.pid}/status") if line.startswith("VmHWM")).split()[1])
        self.request(proxy.port, "GET", "/")
        before = rss()
        response = urllib.request.urlopen(f"http://127.0.0.1:{proxy.port}/flood=4000", data=b"{}")
        total = 0
        while data := response.read(1 << 20):
            total += len(data)
        self.assertGreater(total, 240 << 20)
        self.assertLess(rss() - before, 16 << 10, "KiB that 248 MiB of a stream needed")
        # An answer is put together up to 64 MiB; all of it passes.
        response = urllib.request.urlopen(f"http://127.0.0.1:{proxy.port}/flood=4000{CHAT}", data=b"{\"messages\": []}")
        total = 0
        while data := response.read(1 << 20):
            total += len(data)
        self.assertGreater(total, 240 << 20)
        self.assertLess(rss() - before, 200 << 10)
        self.end(proxy)
        self.assertIn("longer than 64", self.lines()[0]["error"])

    def test_ctrl_c_ends_in_order(self):
        server = self.serve(echo())
        proxy = self.proxy(server.url)
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
        connection.request("POST", "/lockstep" + CHAT, json.dumps({"messages": [{"role": "user", "content": "x"}]}))
        response = connection.getresponse()
        response.readline()
        proxy.send_signal(signal.SIGINT)
        time.sleep(0.3)
        self.assertIsNone(proxy.poll())  # what is under way ends first
        with self.assertRaises(OSError):
            http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=2).request("GET", "/")
        for _ in range(5):
            server.taken.release()
        self.assertTrue(response.read().endswith(b"[DONE]\n\n"))
        self.assertEqual(proxy.wait(10), 0)
        self.assertEqual(self.lines()[0]["response"]["choices"][0]["message"]["content"], "01234")
        self.assertEqual(os.stat(self.path / "traffic.jsonl").st_mode & 0o077, 0)
        again = self.proxy(server.url)  # goes on in the file
        self.request(again.port, "POST", CHAT, json.dumps({"messages": []}))
        other = subprocess.run([ASSAY, "task", "capture", "--proxy", server.url, "--listen", "127.0.0.1:0", "-o", "traffic.jsonl"], cwd=self.path, capture_output=True, text=True)
        self.assertEqual(other.returncode, 1)
        self.assertIn("another process is writing", other.stderr)
        taken = subprocess.run([ASSAY, "task", "capture", "--proxy", server.url, "--listen", f"127.0.0.1:{again.port}", "-o", "other.jsonl"], cwd=self.path, capture_output=True, text=True)
        self.assertEqual(taken.returncode, 1)
        self.assertIn("cannot listen", taken.stderr)
        self.end(again)
        self.assertEqual(len(self.lines()), 2)

    def test_from_traffic_to_a_verdict(self):
        server = self.serve(faulty_server.start())
        proxy = self.proxy(server.url)
        for i in range(1, 31):
            self.chat(proxy.port, "good", f"What is {i * 7919} * 2? Write to bob{i}@example.com or call +49 30 {1234567 + i}.")
        self.chat(proxy.port, "good", f"What is {7919} * 2?  write to bob1@example.com, or call +49 30 {1234568}!")
        self.chat(proxy.port, "good", "Tell me of the fox.")
        self.chat(proxy.port, "refuse", "What is 5 * 2?")
        self.end(proxy)
        made = self.assay("task", "capture", "traffic.jsonl", "-o", "task.jsonl", "--unlabelled", "rest.jsonl", "--count", "20", "--near-duplicates", "0.95")
        for said in ("33 requests in recordings", "1 near-duplicate at a similarity of 0.95", "traffic.jsonl:31 repeats traffic.jsonl:1", "traffic.jsonl:33: the server refused it",
                     "redacted: email 30, phone 30", "under 400"):
            self.assertIn(said, made.stdout)
        self.assertIn("drafts of recorded answers", made.stderr)
        written = (self.path / "task.jsonl").read_text() + (self.path / "rest.jsonl").read_text()
        self.assertNotIn("@example.com", written)
        self.assertNotIn("+49", written)
        task = [json.loads(line) for line in (self.path / "task.jsonl").read_text().splitlines()]
        rest = [json.loads(line) for line in (self.path / "rest.jsonl").read_text().splitlines()]
        self.assertEqual(len(task) + len(rest), 31)
        self.assertTrue(all(line["expect"][0]["type"] in ("number", "equals") and line["draft"]["answer"] for line in task))
        self.assertIn(f"{len(task)} examples", self.assay("task", "show", "task.jsonl").stdout)
        checked = self.assay("task", "check", "task.jsonl").stdout
        self.assertIn(f"draft: warning: the checks of {len(task)} of {len(task)} examples are drafts", checked)
        report = json.loads(self.assay("task", "capture", "traffic.jsonl", "-o", "again.jsonl", "--count", "20", "--near-duplicates", "0.95", "--json", "--quiet").stdout)
        self.assertEqual((report["drafted"], report["rest"], report["duplicates"][0]["of"]), (len(task), len(rest), "traffic.jsonl:1"))
        self.assertEqual((self.path / "again.jsonl").read_bytes(), (self.path / "task.jsonl").read_bytes())
        # The server gave the answers, so it passes; and a model that is none does not.
        demo = ROOT / "examples" / "demo"
        verdict = self.assay("check", f"{server.url}#good", "--candidate", f"{server.url}#twin", "--task", "task.jsonl", "--unlabelled", "rest.jsonl", "--json")
        result = json.loads(verdict.stdout)["verdicts"][0]
        self.assertEqual(result["unlabelled"]["differing"], [])
        self.assertIn("drafts of what a model answered once", verdict.stderr)
        self.assay("run", demo, "--task", "task.jsonl", "-o", "demo.run", "--max-tokens", "8")
        refused = self.assay("check", demo, "--task", "task.jsonl", "--to", "q8_0", "--certificate", "c.json", code=1)
        self.assertIn("checks that are drafts", refused.stderr)

    def test_refusals(self):
        (self.path / "log.jsonl").write_text('{"messages": [{"role": "user", "content": "2+2?"}], "response": "4"}\n')
        (self.path / "chatter.log").write_text("INFO: started\nINFO: stopped\n")
        (self.path / "free.jsonl").write_text('{"messages": [{"role": "user", "content": "a story"}], "response": "Once upon a time there was a fox in the wood."}\n')

        def fails(*arguments, says, code=1):
            result = self.assay("task", "capture", *arguments, code=code)
            self.assertIn(says, result.stderr)

        fails("log.jsonl", says="expected -o FILE", code=2)
        fails("-o", "x", says="expected LOG, or --proxy URL", code=2)
        fails("log.jsonl", "-o", "x", "--proxy", "http://x", says="excludes", code=2)
        fails("chatter.log", "-o", "x", says="no request was found in it: 2 lines about something else")
        fails("log.jsonl", "-o", "log.jsonl", says="log.jsonl")
        fails("log.jsonl", "-o", "log.jsonl", "--force", says="log.jsonl")
        fails("log.jsonl", "-o", "x", "--without-rule", "emial", says="did you mean email?")
        fails("free.jsonl", "-o", "x", "--unlabelled", "rest.jsonl", says="no check could be drafted for any of the 1 chosen")
        self.assertFalse((self.path / "x").exists())
        self.assertEqual(len((self.path / "rest.jsonl").read_text().splitlines()), 1)
        fails("--proxy", "http://a:1#model", "-o", "x", says="without the name of a model")
        fails("--proxy", "http://a:1,http://b:2", "-o", "x", says="expected one server, found 2")
        fails("--proxy", "http://user:pass@a:1", "-o", "x", says="clients send their own key")
        fails("--proxy", "http://127.0.0.1:1", "--listen", "here", "-o", "x", says="--listen: expected HOST:PORT")
        rules = self.assay("task", "capture", "--list-rules").stdout
        self.assertIn("[EMAIL_1]", rules)
        self.assay("task", "capture", "log.jsonl", "-o", "y", "--no-redact")
        self.assertIn("--near-duplicates", self.assay("task", "capture", "--help").stdout)
        self.assertIn("--near-duplicates", self.assay("completion", "bash").stdout)
        self.assay("task", code=2)
        self.assay("task", "check", code=2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2, warnings="ignore")
