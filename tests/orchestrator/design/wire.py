"""A server on this machine that speaks the language models' wire formats, and answers by a list.

It checks requests as the services do: a key, a version, the fields that a request must have. What
is not as it should be is answered with the services' own status and body.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-0123456789"


@dataclass(frozen=True)
class Reply:
    """`hang` keeps the client waiting until the server ends; `trickle` sends a byte now and then
    until then."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    trickle: bool = False


@dataclass
class Service:
    """What the server was asked, and what it will answer; the last answer is given again."""

    url: str
    replies: list[Reply]
    requests: list[dict[str, Any]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def told(self) -> list[str]:
        """All that the first request's turns said."""
        asked = self.requests[0]
        return [each["content"] for each in asked.get("messages", asked.get("input"))]


@contextmanager
def serving(dialect: Dialect, replies: Sequence[Reply]) -> Iterator[Service]:
    """The server while it runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            service.requests.append(body)
            reply = dialect.complaint(self.path, self.headers, body)
            if reply is None:
                reply = replies[min(len(service.requests), len(replies)) - 1]
            if reply.hang:
                service.over.wait(30)
                return
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data) + 1000 * reply.trickle))
            self.end_headers()
            self.wfile.write(data)
            while reply.trickle and not service.over.wait(0.02):
                self.wfile.write(b" ")
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that hang up are what some tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        service = Service(f"http://127.0.0.1:{server.server_port}{dialect.base}", list(replies))
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.over.set()
            server.shutdown()
            thread.join()


class Dialect:
    """How a service says things."""

    name = ""
    base = ""

    def complaint(self, path: str, headers: Any, body: dict[str, Any]) -> Reply | None:
        """What the service says to a request that is not as it should be."""
        raise NotImplementedError

    def answer(self, value: object) -> Reply:
        """A whole answer: JSON of `value`, or a text as it is."""
        raise NotImplementedError

    def refusal(self, why: str) -> Reply:
        raise NotImplementedError

    def cut_off(self) -> Reply:
        raise NotImplementedError

    def error(self, status: int, code: str, message: str, **headers: str) -> Reply:
        raise NotImplementedError

    def spent(self) -> Reply:
        """What an account gets that has used up its money."""
        raise NotImplementedError


class AnthropicDialect(Dialect):
    name = "anthropic"

    def complaint(self, path: str, headers: Any, body: dict[str, Any]) -> Reply | None:
        if headers["x-api-key"] != KEY:
            return self.error(401, "authentication_error", f"invalid x-api-key {KEY}")
        if path != "/v1/messages":
            return self.error(404, "not_found_error", path)
        if headers["anthropic-version"] != "2026-10-21":
            return self.error(400, "invalid_request_error", "anthropic-version: header is required")
        if not {"model", "max_tokens", "messages"} <= set(body):
            return self.error(400, "invalid_request_error", "Field required")
        if removed := {"temperature", "top_p", "top_k"} & set(body):
            return self.error(400, "invalid_request_error", f"{removed} were removed")
        if body["model"] == "claude-nobody":
            return self.error(404, "not_found_error", "model: claude-nobody")
        if bounds(body["output_config"]["format"]["schema"]):
            return self.error(400, "invalid_request_error", "property 'minimum' is not supported")
        return None

    def answer(self, value: object) -> Reply:
        text = value if isinstance(value, str) else json.dumps(value)
        return self._message("end_turn", [{"type": "text", "text": text}])

    def refusal(self, why: str) -> Reply:
        details = {"type": "refusal", "category": None, "explanation": why}
        return self._message("refusal", [], stop_details=details)

    def cut_off(self) -> Reply:
        return self._message("max_tokens", [{"type": "text", "text": '{"proposals": [{"why'}])

    def error(self, status: int, code: str, message: str, **headers: str) -> Reply:
        body = {
            "type": "error",
            "error": {"type": code, "message": message},
            "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
        }
        return Reply(status, body, headers)

    def spent(self) -> Reply:
        limited = self.error(429, "rate_limit_error", "You have reached your spend limit")
        limited.body["error"]["details"] = {"error_code": "enforced_spend_limit_reached"}
        return limited

    def _message(self, reason: str, content: list[dict[str, str]], **others: object) -> Reply:
        thinking = {"type": "thinking", "thinking": '{"proposals": "hm"}', "signature": "c2ln"}
        body = {
            "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "content": [thinking, *content],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 2095, "output_tokens": 503},
        }
        return Reply(200, body | others)


class OpenAIDialect(Dialect):
    name = "openai"
    base = "/v1"

    def complaint(self, path: str, headers: Any, body: dict[str, Any]) -> Reply | None:
        if headers["authorization"] != f"Bearer {KEY}":
            return self.error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}.")
        if path != "/v1/responses":
            return self.error(404, "not_found", f"Invalid URL (POST {path})")
        if body["model"] == "claude-nobody":
            return self.error(404, "model_not_found", "The model does not exist")
        kind = body["text"]["format"]
        if kind["type"] != "json_schema" or not kind["name"] or loose(kind["schema"]):
            return self.error(400, "invalid_json_schema", "Invalid schema for response_format")
        return None

    def answer(self, value: object) -> Reply:
        text = value if isinstance(value, str) else json.dumps(value)
        return self._response("completed", {"type": "output_text", "text": text, "annotations": []})

    def refusal(self, why: str) -> Reply:
        return self._response("completed", {"type": "refusal", "refusal": why})

    def cut_off(self) -> Reply:
        part = {"type": "output_text", "text": '{"proposals": [{"why', "annotations": []}
        details = {"reason": "max_output_tokens"}
        return self._response("incomplete", part, incomplete_details=details)

    def error(self, status: int, code: str, message: str, **headers: str) -> Reply:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        return Reply(status, {"error": error}, headers)

    def spent(self) -> Reply:
        return self.error(429, "insufficient_quota", "You exceeded your current quota")

    def _response(self, status: str, part: dict[str, object], **others: object) -> Reply:
        message = {
            "type": "message",
            "id": "msg_67ccd2bf17f0819081ff3bb2cf6508e6",
            "status": status,
            "role": "assistant",
            "content": [part],
        }
        body = {
            "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
            "object": "response",
            "created_at": 1741476542,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": "gpt-5.5-2026-04-23",
            "output": [{"type": "reasoning", "id": "rs_1", "summary": []}, message],
            "usage": {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123},
        }
        return Reply(200, body | others)


def bounds(schema: Any) -> bool:
    """Whether a schema has what Anthropic's structured outputs refuse."""
    if isinstance(schema, list):
        return any(map(bounds, schema))
    if not isinstance(schema, dict):
        return False
    refused = {"minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems"}
    return bool(refused & set(schema)) or loose(schema) or any(map(bounds, schema.values()))


def loose(schema: Any) -> bool:
    """Whether an object of a schema lacks what strict structured outputs ask for."""
    if isinstance(schema, list):
        return any(map(loose, schema))
    if not isinstance(schema, dict):
        return False
    inner = any(map(loose, schema.values()))
    if schema.get("type") != "object":
        return inner
    closed = schema.get("additionalProperties") is False
    return inner or not closed or set(schema["required"]) != set(schema["properties"])
