"""An HTTP server that lets clients in by NTLM or Negotiate only, and a client of that kind that binds its login to TLS.

The handshake is pyspnego's. As IIS does it, a connection is logged in, not a request. Behind the login is a BITS
upload of one session, just enough for a client of our own.

`ntlm_peer.py serve SCHEME [CERTIFICATE]` prints its port and serves; with a certificate (PEM, key included) over
TLS, and with Extended Protection: a login that is not bound to that certificate is refused.
`ntlm_peer.py get PORT AUTHORITY [PROXY]` logs in over TLS by Negotiate, with channel binding, and prints each status;
with the port of a proxy it asks that one for the way there (CONNECT).
"""

import base64
import hashlib
import http.client
import http.server
import os
import re
import ssl
import sys

import spnego
from spnego.channel_bindings import GssChannelBindings

SESSION = "{5f1c8a36-7c0e-4d9b-9a57-3d1e6b0f4c22}"


def binding(certificate):
    """Returns what a login over a connection with this certificate (DER) is bound to. RFC 5929 §4"""
    digest = hashlib.sha256(certificate).digest()
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    scheme, bound = "NTLM", None
    content = b""

    def setup(self):
        super().setup()
        self.context, self.who = None, None

    def handle_request(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.who is None and not self.logs_in():
            return
        packet = self.headers.get("BITS-Packet-Type")
        if packet is None:
            self.answer(200, {}, f"hello {self.who}\n".encode())
        else:
            self.upload(packet.lower(), body)

    do_GET = do_HEAD = do_BITS_POST = handle_request

    def logs_in(self):
        """Takes one leg of the handshake; tells whether it was the last one, and a good one."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != self.scheme.lower() or not token:
            return self.refuse(self.scheme)
        self.context = self.context or spnego.server(
            protocol=self.scheme.lower(), channel_bindings=self.bound
        )
        try:
            answer = self.context.step(base64.b64decode(token))
        except Exception as error:
            print(f"refused: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            self.context = None
            return self.refuse(self.scheme)
        if not self.context.complete:
            return self.refuse(f"{self.scheme} {base64.b64encode(answer).decode()}")
        self.who = self.context.client_principal
        return True

    def refuse(self, challenge):
        self.answer(401, {"WWW-Authenticate": challenge})
        return False

    def upload(self, packet, body):
        ack = {"BITS-Packet-Type": "Ack"}
        if packet == "create-session":
            Handler.content = b""
            ack["BITS-Protocol"] = "{7df0354d-249b-430f-820d-3d2a9bef4931}"
        elif packet == "fragment":
            first = int(re.match(r"bytes (\d+)-", self.headers["Content-Range"])[1])
            Handler.content = Handler.content[:first] + body
            ack["BITS-Received-Content-Range"] = str(len(Handler.content))
        elif packet == "close-session":
            digest = hashlib.sha256(Handler.content).hexdigest()
            print(f"received: {digest}", file=sys.stderr, flush=True)
        if packet != "ping":
            ack["BITS-Session-Id"] = SESSION
        self.answer(200, ack)

    def answer(self, status, fields, body=b""):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        if self.who is not None:
            self.send_header("Persistent-Auth", "true")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(scheme, certificate=None):
    Handler.scheme = scheme
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with open(certificate, encoding="ascii") as file:
            pem = re.search("-+BEGIN CERTIFICATE.*?END CERTIFICATE-+", file.read(), re.S)[0]
        Handler.bound = binding(ssl.PEM_cert_to_DER_cert(pem))
    print(server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


def get(port, authority, proxy=None):
    context = ssl.create_default_context(cafile=authority)
    connection = http.client.HTTPSConnection("localhost", int(proxy or port), context=context)
    if proxy:
        connection.set_tunnel("localhost", int(port))
    connection.connect()
    bound = binding(connection.sock.getpeercert(binary_form=True))
    user, password = os.environ["NTLM_LOGIN"].split(":")
    login = spnego.client(user, password, hostname="localhost", channel_bindings=bound)
    token = login.step()
    while token:
        value = f"Negotiate {base64.b64encode(token).decode()}"
        connection.request("GET", "/", headers={"Authorization": value})
        response = connection.getresponse()
        response.read()
        print(response.status)
        _, _, answer = response.headers.get("WWW-Authenticate", "").partition(" ")
        token = login.step(base64.b64decode(answer)) if answer else None


if __name__ == "__main__":
    {"serve": serve, "get": get}[sys.argv[1]](*sys.argv[2:])
