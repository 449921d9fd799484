"""mDNS as others speak it: PyPI's zeroconf, and sockets where it is too polite. Says `{"ready": ...}` once it is at it, then one
JSON object a line, and ends when its standard input does.

    mdns.py browse ADDRESS                what is announced of both kinds of service, by zeroconf
    mdns.py own ADDRESS HOST INSTANCE     is HOST.local, and INSTANCE among the boxes, by zeroconf
    mdns.py send ADDRESS TARGET PAUSE     sends packets of standard input, a line of hexadecimal each, to everybody and to TARGET,
                                          and leaves so many milliseconds in between for reading them
    mdns.py sniff INTERFACE               each packet from or to port 5353, as it is on the wire
"""

import json
import socket
import struct
import sys
import time

KINDS = ["_hob._tcp.local.", "_ai-gateway._tcp.local."]


def say(**what):
    print(json.dumps(what), flush=True)


def browse(address):
    from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

    def texts(raw):
        found = []
        while raw:
            found.append(raw[1 : 1 + raw[0]].decode())
            raw = raw[1 + raw[0] :]
        return found

    class Listener(ServiceListener):
        def tell(self, event, zeroconf, kind, name):
            info = zeroconf.get_service_info(kind, name, 3000)
            if info:
                addresses = sorted(info.parsed_addresses())
                say(event=event, kind=kind, name=name, host=info.server, port=info.port, addresses=addresses,
                    texts=texts(info.text))

        def add_service(self, zeroconf, kind, name):
            self.tell("added", zeroconf, kind, name)

        def update_service(self, zeroconf, kind, name):
            self.tell("updated", zeroconf, kind, name)

        def remove_service(self, zeroconf, kind, name):
            say(event="removed", kind=kind, name=name)

    with Zeroconf(interfaces=[address], ip_version=IPVersion.V4Only) as zeroconf:
        ServiceBrowser(zeroconf, KINDS, Listener())
        say(ready=True)
        sys.stdin.read()


def own(address, host, instance):
    from zeroconf import IPVersion, ServiceInfo, Zeroconf

    def info(kind, name):
        return ServiceInfo(kind, f"{name}.{kind}", addresses=[socket.inet_aton(address)], port=9,
                           properties={"txtvers": "1"}, server=f"{host}.local.")

    with Zeroconf(interfaces=[address], ip_version=IPVersion.V4Only) as zeroconf:
        zeroconf.register_service(info("_other._tcp.local.", "other"))
        zeroconf.register_service(info(KINDS[0], instance))
        say(ready=True)
        sys.stdin.read()


def send(address, target, pause):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    out.bind((address, 5353))
    sent = 0
    say(ready=True)
    for line in sys.stdin:
        packet = bytes.fromhex(line.strip())
        out.sendto(packet, ("224.0.0.251", 5353))
        out.sendto(packet, (target, 5353))
        time.sleep(int(pause) / 1000)
        sent += 1
    say(sent=sent)


def sniff(interface):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
    wire.bind((interface, 0))
    say(ready=True)
    while True:
        frame = wire.recv(65535)
        kind = struct.unpack("!H", frame[12:14])[0]
        if kind == 0x0800 and frame[23] == 17:
            source, start = socket.inet_ntoa(frame[26:30]), 14 + (frame[14] & 15) * 4
        elif kind == 0x86DD and frame[20] == 17:
            source, start = socket.inet_ntop(socket.AF_INET6, frame[22:38]), 54
        else:
            continue
        if 5353 in struct.unpack("!HH", frame[start : start + 4]):
            say(source=source, payload=frame[start + 8 :].hex())


{"browse": browse, "own": own, "send": send, "sniff": sniff}[sys.argv[1]](*sys.argv[2:])
