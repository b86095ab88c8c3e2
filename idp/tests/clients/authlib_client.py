"""Authlib: discovery, code + PKCE, userinfo, refresh, logout; PyJWT checks the tokens."""

import os
import secrets

import jwt
import requests
from authlib.integrations.requests_client import OAuth2Session

ISSUER, API, CLIENT_ID = (os.environ[name] for name in ("ISSUER", "API", "CLIENT_ID"))
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


def browse(url):
    """The person's browser: opens an address and follows redirects within the issuer to the one that leads out."""
    for _ in range(10):
        response = requests.get(url, headers={"cookie": os.environ["COOKIE"]}, allow_redirects=False)
        assert response.status_code == 303, (url, response.text)
        url = requests.compat.urljoin(url, response.headers["location"])
        if not url.startswith(ISSUER):
            return url
    raise AssertionError(f"redirected without end at {url}")


server = requests.get(f"{ISSUER}/.well-known/openid-configuration").json()
session = OAuth2Session(
    CLIENT_ID,
    os.environ["CLIENT_SECRET"],
    scope="openid profile tasks:read",
    redirect_uri=os.environ["REDIRECT_URI"],
    code_challenge_method="S256",
    token_endpoint_auth_method="client_secret_basic",
)
verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe()
url, state = session.create_authorization_url(
    server["authorization_endpoint"], code_verifier=verifier, nonce=nonce
)
token = session.fetch_token(
    server["token_endpoint"], authorization_response=browse(url), state=state, code_verifier=verifier
)

keys = jwt.PyJWKClient(server["jwks_uri"])


def verified(text, audience):
    key = keys.get_signing_key_from_jwt(text)
    return jwt.decode(text, key, algorithms=server["id_token_signing_alg_values_supported"], audience=audience, issuer=ISSUER)


claims = verified(token["id_token"], CLIENT_ID)
assert claims["nonce"] == nonce
assert verified(token["access_token"], API)["sub"] == claims["sub"]
assert session.get(server["userinfo_endpoint"]).json()["name"] == "Person"
assert session.get(f"{API}/api/me/tasks").status_code == 200

refreshed = session.refresh_token(server["token_endpoint"])
assert refreshed["refresh_token"] != token["refresh_token"]
assert verified(refreshed["id_token"], CLIENT_ID)["sub"] == claims["sub"]

session.revoke_token(server["revocation_endpoint"], refreshed["refresh_token"])
introspected = session.introspect_token(server["introspection_endpoint"], refreshed["refresh_token"])
assert introspected.json() == {"active": False}

leave = {"id_token_hint": refreshed["id_token"], "post_logout_redirect_uri": os.environ["POST_LOGOUT_REDIRECT_URI"]}
assert browse(f"{server['end_session_endpoint']}?{requests.compat.urlencode(leave)}") == leave["post_logout_redirect_uri"]
