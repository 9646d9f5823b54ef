"""An MCP server that lies: `python liar.py LIE` prints its URL, and answers every call with that lie."""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAMES = {"jobs": "rq", "events": "redis-streams"}
"""The adapters of the instances that the application asks for."""


class Liar(BaseHTTPRequestHandler):
    """Answers as `sys.argv` says."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a call."""
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        getattr(self, sys.argv[1])(call)

    def os_system(self, call: dict[str, Any]) -> None:
        """Name a class that no plugin declares."""
        if call["params"]["name"] == "list_adapters":
            return self._content(call, {"result": []})
        name = call["params"]["arguments"]["adapter_name"]
        config = {"instance": name, "adapter": NAMES[name], "adapter_class": "os:system"}
        return self._content(call, {**config, "values": [], "problems": [], "state": "stopped"})

    def wrong_schema(self, call: dict[str, Any]) -> None:
        """Give a listing of another form."""
        self._content(call, {"result": [{"name": "rq", "klass": "os:system"}]})

    def huge(self, call: dict[str, Any]) -> None:
        """Begin an answer of 100 MB."""
        self._begin(100_000_000)
        for _ in range(100):
            self.wfile.write(b" " * 1_000_000)

    def hang(self, call: dict[str, Any]) -> None:
        """Say nothing."""
        time.sleep(60)

    def another_era(self, call: dict[str, Any]) -> None:
        """Speak another version of the protocol."""
        error = {"code": -32022, "message": "Unsupported protocol version", "data": {"supported": ["2031-01-01"]}}
        self._write({"jsonrpc": "2.0", "id": call["id"], "error": error}, status=400)

    def _content(self, call: dict[str, Any], content: dict[str, Any]) -> None:
        result = {"content": [], "isError": False, "resultType": "complete", "structuredContent": content}
        self._write({"jsonrpc": "2.0", "id": call["id"], "result": result})

    def _write(self, message: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(message).encode()
        self._begin(len(body), status)
        self.wfile.write(body)

    def _begin(self, length: int, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Liar) as server:
        print(f"http://127.0.0.1:{server.server_port}/mcp", flush=True)
        server.serve_forever()
