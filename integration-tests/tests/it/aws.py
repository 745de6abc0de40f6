"""AWS as far as `breakglass aws` needs it: what the real services would verify is verified here.

Arguments: the broker's public side (http://HOST:PORT), the issuer, the audience. Prints its port first.
Every session gets the next number, and ends in five minutes, so that an SDK asks again each time.
"""

import base64
import datetime
import hashlib
import json
import re
import sys
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

WEB, ISSUER, AUDIENCE = sys.argv[1:]
ROLE = "arn:aws:iam::111122223333:role/admin"
SIGNED = "content-type;host;x-amz-date;x-amz-x509"
count = 0


def page(path):
    with urllib.request.urlopen(WEB + path, timeout=30) as answer:
        return answer.read()


def of_certificate(headers, body):
    """The signing process of IAM Roles Anywhere, from the far end; and the list of those revoked."""
    shown = x509.load_der_x509_certificate(base64.b64decode(headers["X-Amz-X509"], validate=True))
    authority = x509.load_pem_x509_certificate(page("/v1/x509/ca.pem"))
    by = ec.ECDSA(hashes.SHA256())
    authority.public_key().verify(shown.signature, shown.tbs_certificate_bytes, by)
    revoked = x509.load_pem_x509_crl(page("/v1/x509/crl.pem"))
    assert revoked.get_revoked_certificate_by_serial_number(shown.serial_number) is None, "revoked"
    date = headers["X-Amz-Date"]
    scope = date[:8] + "/eu-west-1/rolesanywhere/aws4_request"
    form = f"AWS4-X509-ECDSA-SHA256 Credential={shown.serial_number}/{scope}, SignedHeaders={SIGNED}, Signature="
    assert headers["Authorization"].startswith(form), headers["Authorization"]
    canonical = "\n".join([
        "POST",
        "/sessions",
        "",
        "content-type:" + headers["Content-Type"],
        "host:" + headers["Host"],
        "x-amz-date:" + date,
        "x-amz-x509:" + headers["X-Amz-X509"],
        "",
        SIGNED,
        hashlib.sha256(body).hexdigest(),
    ])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = bytes.fromhex(headers["Authorization"][len(form):])
    string = "\n".join(["AWS4-X509-ECDSA-SHA256", date, scope, digest])
    shown.public_key().verify(signature, string.encode(), by)
    asked = json.loads(body)
    assert asked["roleArn"] == ROLE and 900 <= asked["durationSeconds"] <= 43200, asked
    return json.dumps({"credentialSet": [{"credentials": lent(("accessKeyId", "secretAccessKey", "sessionToken", "expiration"))}]})


def of_token(body):
    """AssumeRoleWithWebIdentity."""
    form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
    assert form["Action"] == "AssumeRoleWithWebIdentity" and form["Version"] == "2011-06-15", form
    assert form["RoleArn"] == ROLE and re.fullmatch(r"bg-req-[0-9a-f-]{36}", form["RoleSessionName"])
    assert 900 <= int(form["DurationSeconds"]) <= 43200
    token = form["WebIdentityToken"]
    keys = jwt.PyJWKSet.from_dict(json.loads(page("/.well-known/jwks.json")))
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(key.key for key in keys.keys if key.key_id == kid)
    claims = jwt.decode(token, key, algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE)
    assert form["RoleSessionName"][3:] in claims["sub"], claims
    lines = "".join(f"<{name}>{value}</{name}>" for name, value in lent(("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")).items())
    space = "https://sts.amazonaws.com/doc/2011-06-15/"
    name = "AssumeRoleWithWebIdentity"
    return f'<{name}Response xmlns="{space}"><{name}Result><Credentials>{lines}</Credentials></{name}Result></{name}Response>'


def lent(names):
    global count
    count += 1
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    values = (f"ASIA{count}", f"secret {count}", f"token {count}", end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return dict(zip(names, values))


class Door(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            if self.path == "/sessions":
                return self.answer(201, of_certificate(self.headers, body))
            return self.answer(200, of_token(body))
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            if self.path == "/sessions":
                return self.answer(403, json.dumps({"message": why}))
            return self.answer(403, f"<ErrorResponse><Error><Code>Refused</Code><Message>{why}</Message></Error></ErrorResponse>")

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
print(server.server_address[1], flush=True)
server.serve_forever()
