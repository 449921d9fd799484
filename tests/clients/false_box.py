"""A box, or a registry, that misbehaves on demand: what a real one will not do when a test asks for it. It offers the models of a
store's folder under /v2.

Arguments: `box` (TLS with a root of its own) or `registry` (plain HTTP), the address and port to listen at, the store, how it
behaves, and a file for the requests that it gets. Prints its root and its ID as one line of JSON once it listens."""

import base64
import datetime
import hashlib
import http.server
import json
import pathlib
import re
import ssl
import sys
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

kind, address, port, store, manner, requests = sys.argv[1:]
store, requests = pathlib.Path(store), open(requests, "a", buffering=1)
# The one that is misbehaved with; what is smaller is as it should be.
LARGE = 1 << 20


def check(block):
    total = 0
    for digit in block:
        doubled = (total ^ digit) << 1
        total = doubled if not doubled & 32 else doubled ^ 0b100101
    return total


def device_id(root):
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    text = base64.b32encode(hashlib.sha256(root.public_bytes(serialization.Encoding.DER)).digest()).decode().rstrip("=")
    digits = [alphabet.index(letter) for letter in text]
    blocks = [digits[at:at + 13] for at in range(0, 52, 13)]
    text = "".join(alphabet[digit] for block in blocks for digit in [*block, check(block)])
    return "-".join(re.findall("....", text))


def certificates():
    """A root, and what it signed for the name that goes with it, with that one's key."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(subject, issuer, public, signer, *extensions):
        builder = x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number(), now - datetime.timedelta(days=1),
                                          now + datetime.timedelta(days=30))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signer, hashes.SHA256())

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "false")])
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = certificate(name, name, authority.public_key(), authority, (x509.BasicConstraints(True, None), True))
    label = f"hob-{device_id(root)[:4].lower()}.local"
    leaf = certificate(x509.Name([]), name, own.public_key(), authority, (x509.SubjectAlternativeName([x509.DNSName(label)]), True),
                       (x509.BasicConstraints(False, None), True))
    return root, leaf, own


class Behaviour(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def parse_request(self):
        understood = super().parse_request()
        if understood:
            requests.write(f"{self.command} {self.path} {self.headers.get('Range', '')}\n")
        return understood

    def do_HEAD(self):
        if manner == "slow" and "/blobs/" in self.path:
            # Until whoever asks does not wait any longer.
            self.connection.recv(1)
            requests.write(f"given up {self.path}\n")
            self.close_connection = True
            return
        self.do_GET()

    def do_GET(self):
        match = re.fullmatch(r"/v2/(.+)/(manifests|blobs)/(.+)", self.path)
        name, which, reference = match.groups() if match else ("", "", "")
        if which == "manifests":
            # A registry's names have no host.
            host = f"{address}:{port}/" if kind == "registry" else ""
            file = store / "manifests" / (host + name) / reference
        else:
            file = store / "blobs" / reference.replace(":", "-")
        if not file.is_file() or (manner == "bare" and which == "blobs"):
            return self.say(404, b"")
        body = file.read_bytes()
        digest = reference if which == "blobs" else "sha256:" + hashlib.sha256(body).hexdigest()
        if manner == "forged" and which == "manifests":
            body = body.replace(b'"size":', b'"size": ', 1)
        self.say_bytes(body, digest, len(body) >= LARGE)

    def say_bytes(self, body, digest, large):
        status, headers, total = 200, {"Docker-Content-Digest": digest}, len(body)
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if span:
            first, last = map(int, span.groups())
            status, body = 206, body[first:last + 1]
            headers["Content-Range"] = f"bytes {first}-{last}/{total}"
        if not (large and span):
            return self.say(status, body, headers)
        if manner == "wrong":
            # All of it is the right length, and one bit is not right.
            return self.say(status, bytes([body[0] ^ 1]) + body[1:], headers)
        if manner == "shut":
            time.sleep(1)
            return self.say(403, b"")
        if manner == "stumbles" and time.monotonic() < self.server.stumbles_until():
            self.close_connection = True
            return
        if manner in ("honest", "slow", "stumbles"):
            return self.say(status, body, headers)
        if manner == "long":
            return self.say(status, body + b"more", headers)
        if manner == "other":
            return self.say(status, body, {**headers, "Content-Range": f"bytes {first}-{last}/{total + 1}"})
        # What is left of the answer never comes.
        self.say(status, body[:300_000], headers, len(body))
        if manner == "stalls":
            time.sleep(600)
        self.close_connection = True

    def say(self, status, body, headers={}, claimed=None):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body) if claimed is None else claimed)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    stumbled = None

    def stumbles_until(self):
        """Half a second from when it is first asked."""
        self.stumbled = self.stumbled or time.monotonic() + 0.5
        return self.stumbled

    def handle_error(self, *_):
        pass


server = Server((address, int(port)), Behaviour)
said = {}
if kind == "box":
    root, leaf, own = certificates()
    pem = serialization.Encoding.PEM
    with tempfile.NamedTemporaryFile() as file:
        file.write(own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        file.write(leaf.public_bytes(pem) + root.public_bytes(pem))
        file.flush()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file.name)
    # By the thread that serves the connection, not by the one that accepts it.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    said = {"root": root.public_bytes(pem).decode(), "id": device_id(root)}
print(json.dumps(said), flush=True)
server.serve_forever()
