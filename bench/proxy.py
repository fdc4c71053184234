#!/usr/bin/env python3
"""What the recording proxy costs: the same requests to nginx, which answers at once, directly and through it, in turn.

usage: bench/proxy.py ASSAY   (needs wrk and nginx)"""
import os, pathlib, re, subprocess, sys, tempfile, time

ASSAY, SECONDS, ROUNDS = os.path.abspath(sys.argv[1]), 4, 3
ANSWER = ('{"id":"x","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"It is 14."},"finish_reason":"stop"}],'
          '"usage":{"prompt_tokens":23,"completion_tokens":7}}')
POST = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"m","temperature":0,"max_tokens":99,"messages":[{"role":"user","content":"What is 7 * 2? Answer with the number alone, please."}]}'
"""


def wrk(folder, url, clients):
    out = subprocess.run(["wrk", "-t1", f"-c{clients}", f"-d{SECONDS}s", "-s", folder / "post.lua", "--latency", url], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out, out
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), re.search(r"^ +50% +(\S+)$", out, re.M)[1]


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    (folder / "post.lua").write_text(POST)
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}} http {{ access_log off; {paths}"
                                       f"keepalive_requests 1000000000; server {{ listen 127.0.0.1:8124; default_type application/json; location / {{ return 200 '{ANSWER}'; }} }} }}")
    nginx = subprocess.Popen(["nginx", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL)
    proxy = subprocess.Popen([ASSAY, "task", "capture", "--proxy", "http://127.0.0.1:8124", "--listen", "127.0.0.1:9124", "-o", folder / "t.jsonl"], stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        for clients in (1, 32):
            for _ in range(ROUNDS):
                for what, url in (("nginx", "http://127.0.0.1:8124/v1/chat/completions"), ("recorded", "http://127.0.0.1:9124/v1/chat/completions"), ("passed on", "http://127.0.0.1:9124/other")):
                    rate, median = wrk(folder, url, clients)
                    print(f"{clients:2} clients, {what:9}: {rate:8.0f} requests/s, median {median}", flush=True)
        status = pathlib.Path(f"/proc/{proxy.pid}/status").read_text()
        print("most memory of the proxy:", re.search(r"VmHWM:\s+(.*)", status)[1])
    finally:
        proxy.terminate()
        nginx.terminate()
        proxy.wait()
        nginx.wait()
