#!/usr/bin/env python3
"""How much of what a server can give the client takes: many streamed answers at once, beside curl doing the same.

    python3 bench/served.py ASSAY [--requests 400] [--concurrency 64] [--rounds 5]

The stub streams 50 tokens to each request, one every 20 ms, on one thread; it notes when the first of the task's requests came and when the last answer
was sent. Rounds alternate. Prints seconds (medians), the ratio, and the client's peak memory for the number of requests and for four times as many."""
import argparse, asyncio, json, multiprocessing, os, pathlib, resource, statistics, subprocess, tempfile, time

TOKENS, GAP = 50, 0.02


def event(delta, finish=None, **more):
    return b"data: " + json.dumps({"model": "stub", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}).encode() + b"\n\n"


def chunked(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


async def serve(pipe):
    seen = {"first": None, "last": None, "answers": 0}

    async def handle(reader, writer):
        try:
            while line := await reader.readline():
                verb, path, _ = line.split()
                length = 0
                while (header := await reader.readline()) not in (b"\r\n", b""):
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                body = await reader.readexactly(length)
                if path == b"/seen":
                    data = json.dumps(seen).encode()
                    seen.update(first=None, last=None, answers=0)
                elif path == b"/v1/models":
                    data = json.dumps({"data": [{"id": "stub"}]}).encode()
                elif path == b"/v1/chat/completions":
                    data = None
                else:
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
                    continue
                if data is not None:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data))
                    continue
                ours = b"example" in body
                if ours and seen["first"] is None:
                    seen["first"] = time.monotonic()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                count = TOKENS if ours else 1
                for at in range(count):
                    await asyncio.sleep(GAP)
                    writer.write(chunked(event({"content": f" {at}"})))
                writer.write(chunked(event({}, "stop")) + chunked(event({}, None, usage={"prompt_tokens": 9, "completion_tokens": count})) + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")
                await writer.drain()
                if ours:
                    seen["last"] = time.monotonic()
                    seen["answers"] += 1
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=1 << 20, backlog=512)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def stub():
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=lambda: asyncio.run(serve(theirs)), daemon=True)
    process.start()
    return f"http://127.0.0.1:{ours.recv()}"


def seen(url):
    return json.loads(subprocess.check_output(["curl", "-s", url + "/seen"]))


def peak(command, **options):
    """Runs a command; its peak memory in MiB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(process.stderr.read().decode())
    return usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("assay", type=os.path.abspath)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    o = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        url = stub()
        example = lambda i: {"messages": [{"role": "user", "content": f"example {i}"}]}
        for times in (1, 4):
            (folder / f"{times}.jsonl").write_text("".join(
                json.dumps({"id": f"e{i}", **example(i), "expect": [{"type": "contains", "value": "4"}]}) + "\n" for i in range(times * o.requests)))
        (folder / "curl").write_text("next\n".join(
            f'url = "{url}/v1/chat/completions"\nheader = "Content-Type: application/json"\noutput = "/dev/null"\nno-buffer\ndata-raw = {json.dumps(json.dumps({**example(i), "stream": True}))}\n'
            for i in range(o.requests)))

        def ours(times):
            memory = peak([o.assay, "run", url, "--task", f"{times}.jsonl", "-o", "x.run", "--force", "--concurrency", str(o.concurrency)], cwd=folder)
            what = seen(url)
            assert what["answers"] == times * o.requests, what
            return what["last"] - what["first"], memory

        def curl():
            subprocess.run(["curl", "-s", "--parallel", "--parallel-immediate", "--parallel-max", str(o.concurrency), "-K", "curl"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
            what = seen(url)
            assert what["answers"] == o.requests, what
            return what["last"] - what["first"]

        seen(url)
        assay_s, curl_s, memory = [], [], []
        for _ in range(o.rounds):
            seconds, mib = ours(1)
            assay_s.append(seconds)
            memory.append(mib)
            curl_s.append(curl())
        ideal = -(-o.requests // o.concurrency) * TOKENS * GAP
        a, c = statistics.median(assay_s), statistics.median(curl_s)
        print(f"{o.requests} requests, {o.concurrency} at once: assay {a:.2f} s, curl {c:.2f} s, ratio {a / c:.3f}; the stub's own time {ideal:.2f} s")
        print(f"peak memory {statistics.median(memory):.1f} MiB; with {4 * o.requests} requests {ours(4)[1]:.1f} MiB")


if __name__ == "__main__":
    main()
