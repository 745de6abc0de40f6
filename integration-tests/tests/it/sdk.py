"""What botocore makes of the profile `emergency`, each time a line of standard input is read."""

import json
import sys

import botocore.session
from botocore.exceptions import CredentialRetrievalError

credentials = None
for _ in sys.stdin:
    try:
        if credentials is None:
            credentials = botocore.session.Session(profile="emergency").get_credentials()
        frozen = credentials.get_frozen_credentials()
        said = {"method": credentials.method, "key": frozen.access_key, "secret": frozen.secret_key, "token": frozen.token}
    except CredentialRetrievalError as error:
        said = {"error": str(error)}
    print(json.dumps(said), flush=True)
