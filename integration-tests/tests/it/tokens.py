"""What PyJWT and joserfc say of tokens: one line of stdin each, one line of JSON each.

Arguments: the key set as served, issuer, audience. For each token the two answers: "ok", or the name of the
library's exception.
"""
import json
import sys

import jwt
import joserfc.jwt
from joserfc.jwk import KeySet

keys_path, issuer, audience = sys.argv[1:]
with open(keys_path) as file:
    served = json.load(file)
NEEDED = ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"]


def pyjwt(token):
    keys = jwt.PyJWKSet.from_dict(served)
    kid = jwt.get_unverified_header(token)["kid"]
    key = next((key.key for key in keys.keys if key.key_id == kid), None)
    options = {"require": NEEDED}
    return jwt.decode(token, key, algorithms=["ES256"], issuer=issuer, audience=audience, options=options)


def joserfc_(token):
    read = joserfc.jwt.decode(token, KeySet.import_key_set(served), algorithms=["ES256"])
    needed = {name: {"essential": True} for name in NEEDED}
    needed["iss"]["value"], needed["aud"]["value"] = issuer, audience
    joserfc.jwt.JWTClaimsRegistry(**needed).validate(read.claims)
    return read.claims


for token in sys.stdin.read().split("\n")[:-1]:
    said = []
    for library in (pyjwt, joserfc_):
        try:
            library(token)
            said.append("ok")
        except Exception as error:
            said.append(type(error).__name__)
    print(json.dumps(said))
