"""A question to a web service that may be busy: sent again after growing pauses, not for ever."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from ....runtime.errors import DispatchError
from .model import Unanswered

_MOST_BYTES = 4 * 2**20
# And all of 500 and above; 529 is an overloaded service of Anthropic.
_BUSY = {408, 409, 424, 425, 429}
# Of 429: how codes end that say that an account has no money left. Waiting does not help it.
_SPENT = ("insufficient_quota", "balance_exhausted", "hard_limit_reached", "spend_limit_reached")
_HINTS = {
    401: "the key was refused: check {key}",
    402: "the account cannot pay: check the service's billing page",
    403: "the key may not do this: check its permissions and {key}",
    404: "there is no such model or address: choose with --model, or check {base}",
}


@dataclass(frozen=True)
class Patience:
    """`attempts` are made at most, each of up to `request_s` seconds and all with their pauses of
    up to `total_s`. The pauses double from `first_wait_s`; where the service names one it is kept,
    up to `longest_wait_s`."""

    attempts: int = 4
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    request_s: float = 180.0
    total_s: float = 300.0


@dataclass(frozen=True)
class Service:
    """Where questions go. `key_name` and `base_name` are the environment variables that hold the
    `key` and the address, for messages; the key itself is in none."""

    base_url: str
    key: str
    key_name: str
    base_name: str
    patience: Patience = Patience()
    sleep: Callable[[float], None] = time.sleep

    def __repr__(self) -> str:
        return f"Service({self.shown})"

    @property
    def shown(self) -> str:
        """The address without a password."""
        return re.sub(r"//[^/@]*@", "//", self.base_url)

    def post(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Any:
        """The JSON that comes back. Raises Unanswered where the service is busy or out of reach,
        DispatchError where asking again would change nothing."""
        url = self.base_url.rstrip("/") + path
        end = time.monotonic() + self.patience.total_s
        wait = self.patience.first_wait_s
        attempt = 0
        with httpx.Client() as client:
            while True:
                attempt += 1
                try:
                    limit = min(self.patience.request_s, end - time.monotonic())
                    status, sent, data = _exchange(client, url, headers, body, limit)
                except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                    raise DispatchError(
                        f"{self.shown}: {error}: set {self.base_name} to an address such as"
                        " https://host/"
                    ) from error
                except httpx.RequestError as error:
                    trouble, asked = f"cannot be reached ({_name(error)})", None
                else:
                    if status == 200 and (answer := _json(data)) is not None:
                        return answer
                    trouble, asked = self._judge(status, sent, data)
                pause = wait * random.uniform(0.75, 1) if asked is None else asked
                if asked is not None and asked > self.patience.longest_wait_s:
                    raise Unanswered(f"{trouble}, and asks to wait {asked:.0f} s")
                out_of_time = time.monotonic() + pause >= end
                if attempt == self.patience.attempts or out_of_time:
                    raise Unanswered(f"{trouble}, after {attempt} attempts")
                self.sleep(pause)
                wait = min(2 * wait, self.patience.longest_wait_s)

    def _judge(self, status: int, sent: httpx.Headers, data: bytes) -> tuple[str, float | None]:
        """What is the matter, and the pause in seconds that the service asks for. Raises where
        another attempt is of no use."""
        said, codes = _complaint(data)
        said = said.replace(self.key, "***")
        if status == 200:
            return "sent no JSON", None
        if status not in _BUSY and status < 500:
            hint = _HINTS.get(status, "the service does not take the request")
            hint = hint.format(key=self.key_name, base=self.base_name)
            raise DispatchError(
                f"{self.shown} answered {status} ({said or 'without a reason'}): {hint};"
                " or use --designer optuna"
            )
        if any(code.endswith(_SPENT) for code in codes):
            raise Unanswered(f"answered {status}: the account's limit is spent ({said})")
        return f"answered {status} ({said or 'without a reason'})", _asked_wait(sent)


def inside(value: Any, *names: str) -> Any:
    """The field of a field of a JSON value; None where one is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def one_line(value: Any) -> str:
    """A text that others wrote, fit to be shown: up to 300 characters that print."""
    text = "" if value is None else " ".join(str(value).split())
    return "".join(each for each in text if each.isprintable())[:300]


def _exchange(
    client: httpx.Client,
    url: str,
    headers: Mapping[str, str],
    body: Mapping[str, Any],
    limit: float,
) -> tuple[int, httpx.Headers, bytes]:
    """Status, headers and body, of which at most so much is read: httpx limits the silences, not
    the whole."""
    end = time.monotonic() + limit
    timeout = httpx.Timeout(max(limit, 0.001), connect=max(min(limit, 10.0), 0.001))
    with client.stream("POST", url, headers=dict(headers), json=body, timeout=timeout) as reply:
        data = b""
        for part in reply.iter_bytes():
            data += part
            if len(data) > _MOST_BYTES:
                raise httpx.ReadError(f"more than {_MOST_BYTES} bytes")
            if time.monotonic() > end:
                raise httpx.ReadTimeout(f"not complete after {limit:.0f} s")
        return reply.status_code, reply.headers, data


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _complaint(data: bytes) -> tuple[str, set[str]]:
    """The message of an error's body, in one line, and the codes that it has."""
    error = inside(_json(data), "error")
    places = (("type",), ("code",), ("details", "error_code"))
    codes = {str(code) for each in places if (code := inside(error, *each))}
    return one_line(inside(error, "message") or inside(error, "type")), codes


def _asked_wait(headers: httpx.Headers) -> float | None:
    """Seconds by Retry-After, which is a number or a date; OpenAI also sends it in ms."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
