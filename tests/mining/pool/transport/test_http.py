from __future__ import annotations

import gzip
import http.server
import socket
import ssl
import struct
import threading
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mining.pool.transport import http as pool_http
from mining.pool.transport.http import LARGEST_ANSWER_BYTES, Answer, NoAnswer, Transport
from mining.pool.transport.signing import Secret, SignedRequest, sign
from tests.mining.pool.moments import WaitsAlone
from tests.mining.pool.transport.raw_server import answering, raw_server
from tests.sandbox import Sandbox

PATH = "/api/v4/mining/rewards"


def signed_request() -> SignedRequest:
    return sign(path=PATH, parameters={}, nonce=1, api_key="key-1", secret=Secret("s"))


def post(base_url: str, *, within_seconds: float = 60.0, fresh: bool = False) -> Answer | NoAnswer:
    transport = Transport(base_url)
    try:
        return transport.post(PATH, signed_request(), within_seconds=within_seconds, fresh=fresh)
    finally:
        transport.close()


def test_the_signed_bytes_and_headers_go_out_unchanged() -> None:
    with raw_server(answering(b"{}")) as server:
        post(server.base_url)

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    signed = signed_request()
    assert head.startswith(b"POST /api/v4/mining/rewards HTTP/1.1\r\n")
    assert body == signed.body
    assert {name: headers[name] for name in signed.headers} == dict(signed.headers)


def drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(6_000):
        connection.sendall(b"X" if number % 50 else b"\r\nX-Slow: ")
        time.sleep(0.02)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(6_000):
        connection.sendall(b" ")
        time.sleep(0.02)


def say_nothing(connection: socket.socket) -> None:
    connection.recv(1)


def begin_late_and_go_on_late(connection: socket.socket) -> None:
    """Each piece in time, were the time counted from the piece before."""
    time.sleep(0.4)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    for _ in range(300):
        time.sleep(0.4)
        connection.sendall(b" ")


@pytest.mark.parametrize("behaviour", [drip_headers, drip_body, say_nothing, begin_late_and_go_on_late])
def test_an_exchange_ends_in_time_however_slowly_bytes_keep_coming(
    behaviour: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(behaviour)
    # Nothing but the exchange's own time can end it: else the server would, minutes later and in other words.
    monkeypatch.setattr(pool_http, "READ_SECONDS", 600)
    monkeypatch.setattr(pool_http, "TOTAL_SECONDS", 600)
    with raw_server(behaviour) as server:
        answer = post(server.base_url, within_seconds=0.5)

    assert answer == NoAnswer("no whole answer came in time", may_have_acted=True)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def babble(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n")


def stop_half_way(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data":')


def break_gzip(connection: socket.socket) -> None:
    answering(b"not gzip at all", headers="Content-Encoding: gzip\r\n")(connection)


def break_chunks(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n")


@pytest.mark.parametrize("behaviour", [reset, hang_up, babble, stop_half_way, break_gzip, break_chunks])
def test_a_broken_exchange_is_no_answer_and_may_have_acted(behaviour: object) -> None:
    assert callable(behaviour)
    with raw_server(behaviour) as server:
        answer = post(server.base_url)

    assert answer == NoAnswer("the connection broke off", may_have_acted=True)
    assert server.connections == 1


def test_where_nobody_listens_nothing_was_done() -> None:
    assert post("http://127.0.0.1:9") == NoAnswer("no connection could be made", may_have_acted=False)


def test_a_name_that_does_not_resolve_means_nothing_was_done() -> None:
    answer = post("https://pool.invalid")

    assert isinstance(answer, NoAnswer)
    assert not answer.may_have_acted


def test_a_full_queue_of_connections_is_given_up_in_time_and_nothing_was_done() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(4)]
    for waiter in waiting:
        waiter.setblocking(False)
        waiter.connect_ex(listener.getsockname())

    answer = post(f"http://127.0.0.1:{listener.getsockname()[1]}", within_seconds=0.3)

    assert answer == NoAnswer("the connection was not made in time", may_have_acted=False)
    for opened in [*waiting, listener]:
        opened.close()


def self_signed_certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "self-signed.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


def test_a_server_that_cannot_prove_its_name_gets_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed_certificate(tmp_path)
    # requests would trust these by itself, were it to listen to the environment.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    with raw_server(answering(b"{}"), tls=context) as server:
        answer = post(server.base_url)

    assert answer == NoAnswer("the pool's TLS certificate could not be verified", may_have_acted=False)
    assert server.requests == []


def test_a_large_answer_is_cut_off() -> None:
    with raw_server(answering(b" " * (LARGEST_ANSWER_BYTES + 1))) as server:
        answer = post(server.base_url)

    assert isinstance(answer, Answer)
    assert answer.too_large
    assert len(answer.body) == LARGEST_ANSWER_BYTES


def test_an_answer_of_just_the_allowed_size_is_whole() -> None:
    with raw_server(answering(b" " * LARGEST_ANSWER_BYTES)) as server:
        assert post(server.base_url) == Answer(200, b" " * LARGEST_ANSWER_BYTES)


def test_a_compressed_answer_is_read() -> None:
    with raw_server(answering(gzip.compress(b'{"time":1}'), headers="Content-Encoding: gzip\r\n")) as server:
        assert post(server.base_url) == Answer(200, b'{"time":1}')


def test_a_small_answer_that_unpacks_into_a_large_one_is_cut_off_before_it_fills_memory() -> None:
    bomb = gzip.compress(gzip.compress(b"0" * 100_000_000))
    with raw_server(answering(bomb, headers="Content-Encoding: gzip, gzip\r\n")) as server:
        tracemalloc.start()
        answer = post(server.base_url)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert isinstance(answer, Answer)
    assert answer.too_large
    assert peak_bytes < 20_000_000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(status: int) -> None:
    with raw_server(answering(b"{}")) as elsewhere:
        location = f"Location: {elsewhere.base_url}/stolen\r\n"
        with raw_server(answering(b"", status=f"{status} Moved", headers=location)) as server:
            assert post(server.base_url) == Answer(status, b"")

    assert (server.connections, elsewhere.connections) == (1, 0)


def test_nothing_is_repeated_by_the_library() -> None:
    headers = "Retry-After: 0\r\n"
    with raw_server(answering(b"", status="503 Service Unavailable", headers=headers)) as server:
        assert post(server.base_url) == Answer(503, b"")

    assert server.connections == 1


def test_a_reading_is_not_repeated_by_the_library_either() -> None:
    with raw_server(hang_up) as server:
        transport = Transport(server.base_url)
        transport.get("/api/v4/public/time", within_seconds=60)
        transport.close()

    assert server.connections == 1


def test_proxies_of_the_environment_see_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(answering(b"{}")) as server, raw_server(answering(b"{}")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base_url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)

        assert post(server.base_url) == Answer(200, b"{}")

    assert (server.connections, proxy.connections) == (1, 0)


class Keeping(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(str(self.client_address[1] % 90 + 10).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_connections_are_kept_and_a_fresh_one_is_made_when_asked_for() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        transport = Transport(f"http://127.0.0.1:{server.server_port}")
        ports = []
        for fresh in (False, False, True):
            answer = transport.post(PATH, signed_request(), within_seconds=60, fresh=fresh)
            assert isinstance(answer, Answer)
            ports.append(answer.body)
        transport.close()
        server.shutdown()

    assert ports[0] == ports[1] != ports[2]


def test_two_exchanges_on_one_connection_have_each_their_own_time(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = WaitsAlone()
    monkeypatch.setattr(pool_http, "time", clock)
    transport = Transport(sandbox.base_url)

    answers = []
    for _ in range(2):
        answers.append(transport.get("/api/v4/public/time", within_seconds=10))
        clock.told += 60
    transport.close()

    assert [answer.status for answer in answers if isinstance(answer, Answer)] == [200, 200]
