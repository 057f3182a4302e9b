"""A server of chat completions as OpenAI-compatible ones stream them, for a model that says what it is told to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class StubModel:
    """Serves until `close`; `say(messages)` is the next completion of a conversation."""

    def __init__(self, say):
        self.requests = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stub.requests.append(body)
                text = say(body["messages"])
                data = stub.streamed(text) if body.get("stream") else json.dumps(stub.whole(text))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream" if body.get("stream") else "application/json")
                self.send_header("Content-Length", str(len(data.encode())))
                self.end_headers()
                self.wfile.write(data.encode())

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    @staticmethod
    def whole(text):
        message = {"role": "assistant", "content": text}
        return {
            "id": "1", "object": "chat.completion", "created": 1, "model": "stub",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }  # fmt: skip

    @staticmethod
    def streamed(text):
        """Return the events of a streamed completion, a few characters each."""
        pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
        choices = [[{"index": 0, "delta": {"role": "assistant", "content": piece}}] for piece in pieces]
        choices.append([{"index": 0, "delta": {}, "finish_reason": "stop"}])
        common = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "stub"}
        chunks = [{**common, "choices": choice} for choice in choices]
        chunks.append({**common, "choices": [], "usage": StubModel.whole(text)["usage"]})
        return "".join([f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]) + "data: [DONE]\n\n"

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
