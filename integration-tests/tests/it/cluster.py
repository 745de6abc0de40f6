"""An API server as far as kubectl needs one: it asks the broker's webhook about each bearer.

Arguments: certificate, key, the webhook's URL, its CA. The webhook's secret is in REVIEW_SECRET.
Prints its port first, then one line for each request: its path and who that was, or `-`.
"""

import json
import os
import ssl
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CERTIFICATE, KEY, WEBHOOK, WEBHOOK_CA = sys.argv[1:]
META = {"name": "orders-1", "namespace": "default"}
VERBS = ["get", "list"]
PODS = {"name": "pods", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": VERBS}
CORE = {"kind": "APIResourceList", "groupVersion": "v1", "resources": [PODS]}
PAGES = {
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": CORE,
    "/api/v1/namespaces/default/pods": {
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {},
        "items": [{"kind": "Pod", "apiVersion": "v1", "metadata": META, "spec": {}, "status": {}}],
    },
    "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
}
REFUSED = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "message": "Unauthorized",
    "reason": "Unauthorized",
    "code": 401,
}


def reviewed(bearer):
    """What the broker says of it: `None`, or the user."""
    spec = {"token": bearer, "audiences": ["https://kubernetes.example.com"]}
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    headers = {
        "Authorization": "Bearer " + os.environ["REVIEW_SECRET"],
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(WEBHOOK, json.dumps(asked).encode(), headers)
    trust = ssl.create_default_context(cafile=WEBHOOK_CA)
    with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
        said = json.load(answer)
    assert said["apiVersion"] == asked["apiVersion"] and said["kind"] == "TokenReview", said
    status = said["status"]
    return status["user"] if status.get("authenticated") else None


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        scheme, _, bearer = self.headers.get("Authorization", "").partition(" ")
        user = reviewed(bearer) if scheme == "Bearer" else None
        path = self.path.partition("?")[0]
        print(path, user["username"] if user else "-", flush=True)
        if user is None:
            return self.answer(401, REFUSED)
        if path == "/whoami":
            return self.answer(200, user)
        page = PAGES.get(path)
        return self.answer(200, page) if page else self.answer(404, dict(REFUSED, code=404))

    def answer(self, status, page):
        body = json.dumps(page).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
