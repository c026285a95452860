"""Schemathesis and fuzzed bodies against the served application: what it says of itself holds, and never a 500."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from leads.incidents import Observation
from store import incidents
from tests.support.lazily import Lazily
from tests.support.running_hub import RunningHub, running_hub

if TYPE_CHECKING:
    import schemathesis
else:
    schemathesis = Lazily("schemathesis")

MODES = ("positive", "negative")
QUIET = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
    phases=[Phase.explicit, Phase.generate],
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with running_hub(tmp_path_factory.mktemp("hub"), locale="en") as running:
        for number in range(5):
            running.send(name="Ivan", phone=f"+7 916 123-45-{number:02}", utm_source="yandex", comment="Windows")
        running.send(name="Spam", phone="+7 916 123-45-99", leadhub_hp="x")
        running.send("nowhere", name="Nobody")
        seen = Observation("lead_late", "sales", "timeout", 1, running.hub.clock.now())
        running.write(lambda conn: incidents.observe(conn, seen, running.hub.clock.now(), "incident-1"))
        yield running


@pytest.fixture(scope="module")
def api(hub: RunningHub) -> "schemathesis.BaseSchema":
    # The first who asks waits until the pages are made; beside other tests that takes long.
    found = schemathesis.openapi.from_url(f"{hub.url}/api/openapi.json", timeout=120.0)
    found.config.update(headers={"Authorization": f"Bearer {hub.token()}"}, request_timeout=120.0)
    return found


OPERATIONS = [
    ("GET", "/api/v1/status"),
    ("GET", "/api/v1/leads"),
    ("GET", "/api/v1/leads/{lead_id}"),
    ("POST", "/api/v1/leads/retry"),
    ("POST", "/api/v1/leads/{lead_id}/retry"),
    ("POST", "/api/v1/leads/{lead_id}/discard"),
    ("POST", "/api/v1/calls"),
    ("GET", "/api/v1/calls/{call_id}"),
    ("GET", "/api/v1/sources"),
    ("GET", "/api/v1/sources/{name}/refused"),
    ("POST", "/api/v1/sources/{name}/rerun"),
    ("GET", "/api/v1/recordings/{call_id}"),
    ("GET", "/api/v1/errands"),
    ("POST", "/api/v1/errands/retry"),
    ("POST", "/api/v1/errands/{errand_id}/discard"),
    ("GET", "/api/v1/conversations"),
    ("GET", "/api/v1/conversations/{conversation_id}"),
    ("POST", "/api/v1/conversations/{conversation_id}/messages"),
    ("POST", "/api/v1/conversations/{conversation_id}/note"),
    ("POST", "/api/v1/messages/{message_id}/retry"),
    ("POST", "/api/v1/messages/{message_id}/discard"),
    ("GET", "/api/v1/syncs"),
    ("GET", "/api/v1/syncs/{name}"),
    ("GET", "/api/v1/syncs/{name}/issues"),
    ("POST", "/api/v1/syncs/{name}/run"),
    ("POST", "/api/v1/syncs/issues/{issue_id}"),
    ("GET", "/api/v1/incidents"),
    ("POST", "/api/v1/incidents/{incident_id}/ack"),
    ("POST", "/api/v1/incidents/{incident_id}/mute"),
]


def test_every_operation_is_tried(api: "schemathesis.BaseSchema") -> None:
    described = {(found.ok().method.upper(), found.ok().path) for found in api.get_all_operations()}
    assert described == set(OPERATIONS)
    assert {mode.value for mode in schemathesis.GenerationMode} == set(MODES)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=lambda part: part)
def test_the_api_keeps_what_its_description_says(
    api: "schemathesis.BaseSchema", method: str, path: str, mode: str
) -> None:
    """All of Schemathesis's checks; requests that keep to the description, and requests that do not."""
    try:
        cases = api[path][method].as_strategy(generation_mode=schemathesis.GenerationMode(mode))
    except Exception as error:
        pytest.skip(f"nothing to generate: {error}")

    @settings(QUIET, max_examples=15)
    @given(case=cases)
    def keeps_it(case: "schemathesis.Case") -> None:
        case.call_and_validate()

    keeps_it()


# --- the door ---------------------------------------------------------------------------------------------

TYPES = st.sampled_from(
    [
        "application/json",
        "application/json; charset=utf-16",
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=windows-1251",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "text/plain; charset=nonsense",
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
        "",
    ]
)
NAMES = st.sampled_from(
    ["name", "phone", "email", "comment", "utm_source", "lead_uid", "page_url", "first_touch", "x[y]"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
JSON = st.dictionaries(NAMES | st.text(max_size=8), VALUES, max_size=6).map(lambda value: json.dumps(value).encode())
FORM = st.lists(st.tuples(NAMES, st.text(max_size=20)), max_size=6).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "surrogatepass")
)
PART = st.binary(max_size=60).map(
    lambda data: b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + data + b"\r\n--x--\r\n"
)
BODIES = st.binary(max_size=200) | JSON | JSON.map(lambda text: text[: len(text) // 2]) | FORM | PART
PATHS = st.sampled_from(
    ["/in/site", "/in/landing", "/in/site/", "/in/site/%00", "/in/%ff", "/in/", "/in/site?key=%ff&x"]
)


def test_whatever_is_sent_to_a_door_it_is_never_an_error_of_ours(hub: RunningHub) -> None:
    statuses: set[int] = set()
    with httpx.Client(base_url=hub.url, timeout=120) as sender:

        @settings(QUIET, max_examples=250)
        @given(path=PATHS, kind=TYPES, body=BODIES)
        def never_500(path: str, kind: str, body: bytes) -> None:
            answer = sender.post(path, content=body, headers={"content-type": kind.encode("latin-1")})
            statuses.add(answer.status_code)
            assert answer.status_code in (202, 400, 404), (answer.status_code, answer.text)
            assert answer.status_code == 202 or answer.json()["error"]

        never_500()
    assert statuses == {202, 400, 404}
